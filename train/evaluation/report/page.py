"""The report of one run as a page: one HTML file that needs nothing else."""

from collections.abc import Sequence
from html import escape

import numpy as np

from fusedet.common.html import page, section, table
from fusedet.common.text import OPERATING_POINT_NOTE
from fusedet.train.data.coco import CocoDataset
from fusedet.train.evaluation.report.analysis import Analysis
from fusedet.train.evaluation.report.figures.accuracy import class_curves, class_table, confusion_figures, size_table
from fusedet.train.evaluation.report.figures.labels import label_figures
from fusedet.train.evaluation.report.figures.training import training_figures
from fusedet.train.evaluation.report.head import Content, best_epoch, recommended, report_head
from fusedet.train.evaluation.report.images import LEGEND, all_pairs, best_and_worst
from fusedet.train.evaluation.report.labels import label_statistics
from fusedet.train.evaluation.report.latency import FileLatency
from fusedet.train.evaluation.report.output_figures import output_table
from fusedet.train.evaluation.report.provenance import provenance

__all__ = ["report_page"]

#: Squared pixels of the picture up to which COCO calls an object small, and medium.
_SMALL, _MEDIUM = 32.0**2, 96.0**2


def report_page(content: Content) -> str:
    """The page's text.

    Raises:
        InputError: a picture to show cannot be read.
    """
    record = content.record
    parts = [
        ("Outputs", "outputs", output_table(record), OPERATING_POINT_NOTE),
        ("Training", "training", training_figures(record.rows, best_epoch(record)), ""),
        *_accuracy(content),
        ("Labels", "labels", _labels(content), ""),
        ("Time for one picture", "time", _latency(content.latencies), _TIME_NOTE),
        ("Origin", "origin", provenance(record, content.sets), ""),
    ]
    links = "".join(f'<a href="#{anchor}">{escape(title)}</a>' for title, anchor, text, _ in parts if text)
    body = report_head(content) + f"<nav>{links}</nav>"
    return page(
        f"{record.name}: report",
        body + "\n".join(section(title, text, note, anchor) for title, anchor, text, note in parts),
    )


_TIME_NOTE = (
    "Medians in milliseconds on this machine, one thread, on one validation picture. A quick look: "
    "<code>fusedet export</code> with <code>--data</code> measures with care."
)


def _accuracy(content: Content) -> list[tuple[str, str, str, str]]:
    """Title, anchor, HTML and note of each section."""
    analysis, evaluation = content.analysis, content.evaluation
    if analysis is None or evaluation is None:
        return []
    at = f"{analysis.threshold:.2f}"
    took = (
        "The detections are those of the best epoch's own grading."
        if evaluation.seconds is None
        else f"Finding and grading took {evaluation.seconds:.1f} s for this report."
    )
    return [
        ("Precision and recall", "curves", class_curves(analysis), f"{_advice(analysis)} {took}"),
        ("Classes", "classes", class_table(analysis, evaluation.metrics), _class_note(at)),
        ("Sizes", "sizes", size_table(evaluation.metrics, _sizes(evaluation.dataset)), ""),
        ("What is taken for what", "confusion", confusion_figures(analysis), _confusion_note(at)),
        *_pictures(analysis, at),
    ]


def _advice(analysis: Analysis) -> str:
    if recommended(analysis) is None:
        return "Nothing was found that is right at IoU 0.5."
    return (
        f"At IoU 0.5. A score threshold of <b>{analysis.confidence:.2f}</b> gives the best mean F1 and is recommended "
        "where a missed object and a false alarm are equally bad; lower finds more, higher is wrong less often."
    )


def _class_note(at: str) -> str:
    return (
        f"The worst first. Precision, recall and F1 are those at a score threshold of {at}; “best threshold” is the "
        "one with the best F1 of that class alone."
    )


def _confusion_note(at: str) -> str:
    return (
        f"At a score threshold of {at} and IoU 0.5. A row is what is there, a column what was found, in percent of the "
        "row: the diagonal is the recall. The row “background” shares out the false alarms."
    )


def _sizes(dataset: CocoDataset) -> tuple[int, int, int]:
    areas = np.concatenate([np.zeros(0), *(sample.areas[~sample.crowd] for sample in dataset.samples)])
    small, up_to_medium = int((areas < _SMALL).sum()), int((areas < _MEDIUM).sum())
    return small, up_to_medium - small, len(areas) - up_to_medium


def _pictures(analysis: Analysis, at: str) -> list[tuple[str, str, str, str]]:
    best, worst = best_and_worst(analysis.judged)
    perfect = sum(not one.errors for one in analysis.judged)
    note = (
        f"The labels and, beside them, what is found at a score threshold of {at}. {len(analysis.judged) - perfect} "
        f"of {len(analysis.judged)} pictures have an error. A confident false alarm is often an object nobody labelled."
    )
    sections = []
    if worst:
        sections.append(("Pictures with the most errors", "worst", LEGEND + all_pairs(worst, len(best)), note))
    if best:
        sections.append(("Pictures without an error", "best", all_pairs(best, 0), "Those with the most objects."))
    return sections


def _labels(content: Content) -> str:
    if content.sets is None:
        return ""
    size = content.record.config.model.input_size
    named = zip(("training", "validation"), content.sets, strict=True)
    statistics = {name: label_statistics(dataset, size) for name, dataset in named}
    aspect = float(np.median([sample.width / sample.height for sample in content.sets[0].samples]))
    return label_figures(content.sets[0].names, statistics, aspect)


def _latency(latencies: Sequence[FileLatency]) -> str:
    if not latencies:
        return ""
    rows = (
        [
            escape(one.name),
            f"{one.size / 1e6:.2f} MB",
            *(f"{value:.2f}" for value in (one.pre, one.network, one.post, one.fastest)),
        ]
        for one in latencies
    )
    return table(("", "file", "letterbox", "network", "decoding", "all, fastest"), rows, range(1, 6))
