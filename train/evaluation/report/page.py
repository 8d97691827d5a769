"""The report of one run as a page: one HTML file that needs nothing else."""

from pathlib import Path
from typing import Any

import numpy as np

from fusedet.common.pages import render
from fusedet.common.text import OPERATING_POINT_NOTE
from fusedet.configs.reader.validate import dump_config
from fusedet.train.charts import color
from fusedet.train.data.coco import CocoDataset
from fusedet.train.data.doctor.report.plots import statistics_charts
from fusedet.train.data.doctor.statistics import measure_dataset
from fusedet.train.evaluation.outputs import reason
from fusedet.train.evaluation.report import head
from fusedet.train.evaluation.report.figures.accuracy import class_curves, class_rows, curve_names
from fusedet.train.evaluation.report.figures.training import Chart, training_charts
from fusedet.train.evaluation.report.images import COLORS, best_and_worst, image_pair
from fusedet.train.evaluation.report.provenance import provenance

#: Squared pixels of the image up to which COCO calls an object small, and medium.
_SMALL, _MEDIUM = 32.0**2, 96.0**2


def report_page(content: head.Content) -> str:
    """The page's text. Raises InputError if an image to show cannot be read."""
    record = content.record
    return render(
        Path(__file__).with_name("report.html"),
        record=record,
        result=head.result(content),
        trained_on=head.trained_on(content),
        notes=head.notes(content),
        tiles=head.tiles(content),
        commands=head.commands(content),
        operating_point_note=OPERATING_POINT_NOTE,
        advice=reason(*record.outputs) if len(record.outputs) == 2 else "",
        training=training_charts(record.rows, head.best_epoch(record)) if record.rows else (),
        analysis=content.analysis,
        **_accuracy(content),
        **_annotations(content),
        latencies=content.latencies,
        provenance=provenance(record, content.sets),
        config=dump_config(record.config),
    )


def _accuracy(content: head.Content) -> dict[str, Any]:
    analysis, evaluation = content.analysis, content.evaluation
    if analysis is None or evaluation is None:
        return {}
    best, worst = best_and_worst(analysis.judged)
    return {
        "seconds": evaluation.seconds,
        "recommended": head.recommended(analysis),
        "curves": class_curves(analysis),
        "curve_names": curve_names(analysis),
        "classes": class_rows(analysis, evaluation.metrics),
        "metrics": evaluation.metrics,
        "sizes": _sizes(evaluation.dataset),
        "best": [image_pair(one) for one in best],
        "worst": [image_pair(one) for one in worst],
        "with_errors": sum(bool(one.errors) for one in analysis.judged),
        "colors": COLORS,
    }


def _sizes(dataset: CocoDataset) -> tuple[int, int, int]:
    areas = np.concatenate([np.zeros(0), *(sample.areas[~sample.crowd] for sample in dataset.samples)])
    small, up_to_medium = int((areas < _SMALL).sum()), int((areas < _MEDIUM).sum())
    return small, up_to_medium - small, len(areas) - up_to_medium


def _annotations(content: head.Content) -> dict[str, Any]:
    """Statistics of the sets, and each class's name and objects, the most frequent of the training set first."""
    if content.sets is None:
        return {"sets": {}}
    size = content.record.config.model.input_size
    named = zip(("training", "validation"), content.sets, strict=True)
    sets = {name: measure_dataset(name, dataset, size) for name, dataset in named}
    charts = [(name, chart) for name, one in sets.items() for chart in statistics_charts(one, size)]
    return {
        "sets": sets,
        "objects": [(name, [one.per_class[name] for one in sets.values()]) for name in sets["training"].per_class],
        "most_objects": max(1, *(count for one in sets.values() for count in one.per_class.values())),
        "set_colors": [color(number) for number in range(len(sets))],
        "annotation_charts": [Chart(f"{title}, {name}", svg) for name, (title, svg) in charts],
    }
