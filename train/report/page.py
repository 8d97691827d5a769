"""The report of one run as a page: one HTML file that needs nothing else."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from fusedet.train.coco import CocoDataset
from fusedet.train.report.accuracy_figures import class_curves, class_table, confusion_figures, size_table
from fusedet.train.report.analysis import Analysis, Evaluation
from fusedet.train.report.elements import code, page, section, share, table, tiles
from fusedet.train.report.label_figures import label_figures
from fusedet.train.report.labels import label_statistics
from fusedet.train.report.latency import FileLatency
from fusedet.train.report.pictures import LEGEND, all_pairs, best_and_worst
from fusedet.train.report.provenance import provenance
from fusedet.train.report.record import RunRecord
from fusedet.train.report.training_figures import training_figures
from fusedet.train.sets import count_objects

__all__ = ["Content", "duration", "report_page"]

#: Squared pixels of the picture up to which COCO calls an object small, and medium.
_SMALL, _MEDIUM = 32.0**2, 96.0**2
#: Largest difference of two grades of the same weights on the same pictures: GPUs and processors round differently.
_ALIKE = 0.005


@dataclass(frozen=True)
class Content:
    """What a report is made from.

    Attributes:
        record: the run folder.
        sets: to learn from and to grade on; None where they were left out.
        evaluation: of the best weights; None where there is none.
        analysis: of that evaluation.
        latencies: of exported files, on this machine.
        without: why there is no evaluation, as a sentence.
    """

    record: RunRecord
    sets: tuple[CocoDataset, CocoDataset] | None = None
    evaluation: Evaluation | None = None
    analysis: Analysis | None = None
    latencies: Sequence[FileLatency] = ()
    without: str = ""


def report_page(content: Content) -> str:
    """The page's text.

    Raises:
        InputError: a picture to show cannot be read.
    """
    record = content.record
    parts = [
        ("Training", "training", training_figures(record.rows, _best_epoch(record)), ""),
        *_accuracy(content),
        ("Labels", "labels", _labels(content), ""),
        ("Time for one picture", "time", _latency(content.latencies), _TIME_NOTE),
        ("Origin", "origin", provenance(record, content.sets), ""),
    ]
    links = "".join(f'<a href="#{anchor}">{escape(title)}</a>' for title, anchor, text, _ in parts if text)
    body = _head(content) + f"<nav>{links}</nav>"
    return page(
        f"{record.name}: report",
        body + "\n".join(section(title, text, note, anchor) for title, anchor, text, note in parts),
    )


_TIME_NOTE = (
    "Medians in milliseconds on this machine, one thread, on one validation picture. A quick look: "
    "<code>fusedet export</code> with <code>--data</code> measures with care."
)


def _head(content: Content) -> str:
    record = content.record
    notes = [text for text in (_state(record), content.without, _disagreement(content)) if text]
    return (
        f"<h1>{escape(record.name)}</h1>"
        f"<p>{escape(_result(content))}</p>"
        f'<p class="quiet">{escape(_trained_on(content))}</p>'
        + "".join(f'<p class="notice">{escape(note)}</p>' for note in notes)
        + tiles(_figures(content))
        + _next(content)
    )


def _best_epoch(record: RunRecord) -> int:
    row = record.best_row
    return int(row["epoch"]) if row else 0


def _result(content: Content) -> str:
    record = content.record
    row = record.best_row
    if row is None:
        return "No epoch was graded yet."
    return (
        f"AP50-95 {row['ap']:.3f} and AP50 {row['ap50']:.3f} after epoch {_best_epoch(record)} of "
        f"{record.config.train.epochs}, {duration(record.seconds)} of training in all."
    )


def _state(record: RunRecord) -> str:
    if record.finished:
        early = f" It stopped early, after {record.epochs_done}: train.patience." if record.out_of_patience else ""
        return early.strip() if record.epochs_done < record.config.train.epochs else ""
    return (
        f"{record.epochs_done} of {record.config.train.epochs} epochs are done: the training goes on, or was "
        "interrupted. The figures are those so far."
    )


def _disagreement(content: Content) -> str:
    """A grade that is not the training's own: the pictures are others, or the weights or the software."""
    row, evaluation = content.record.best_row, content.evaluation
    if row is None or evaluation is None or abs(evaluation.metrics.ap - row["ap"]) < _ALIKE:
        return ""
    return (
        f"Graded for this report the best weights reach AP50-95 {evaluation.metrics.ap:.3f}, but {row['ap']:.3f} in "
        "training: the data or the weights are not what they were then."
    )


def _trained_on(content: Content) -> str:
    record = content.record
    config = record.config
    height, width = config.model.input_size
    size = f"{record.best.parameters / 1e6:.2f} M parameters, " if record.best else ""
    classes = config.model.classes
    start = "from scratch" if config.train.init is None else f"from {config.train.init}"
    text = f"A network of {size}{classes} class{'' if classes == 1 else 'es'}, input {width} × {height} px, {start}. "
    if content.sets is None:
        return f"{text}Learned from {config.data.train_annotations}, graded on {config.data.val_annotations}."
    counted = [f"{len(one.samples):,} pictures with {count_objects(one)[0]:,} objects" for one in content.sets]
    return f"{text}It learned from {counted[0]}, and is graded on {counted[1]} ({content.sets[1].source})."


def _figures(content: Content) -> list[tuple[str, str]]:
    record, analysis = content.record, content.analysis
    row = record.best_row
    found = []
    if row is not None:
        found = [
            (share(row["ap"]), "AP50-95"),
            (share(row["ap50"]), "AP50"),
            (f"{_best_epoch(record)}", f"best epoch of {record.epochs_done}"),
        ]
    if analysis is not None and _recommended(analysis) is not None:
        at = float(np.nanmax(analysis.mean.f1))
        found.insert(2, (f"{analysis.confidence:.2f}", f"recommended confidence (F1 {at:.2f})"))
    if record.rows:
        found.append((duration(record.seconds), "training and grading"))
    if record.best is not None:
        found.append((f"{record.best.parameters / 1e6:.2f} M", "parameters"))
    return found


def _next(content: Content) -> str:
    record = content.record
    run, data = shlex.quote(str(record.run.path)), record.config.data
    place = shlex.quote(str(data.root or data.val_annotations))
    commands = []
    if not record.finished:
        commands.append(f"fusedet train --resume {run}")
    if record.best is not None:
        export = f"fusedet export {run} --out models --data {place}"
        if data.root is None and data.val_images is not None:
            export = f"fusedet export {run} --out models --images {shlex.quote(str(data.val_images))}"
        commands.append(export)
        confidence = _recommended(content.analysis)
        score = "" if confidence is None else f" --score {confidence:.2f}"
        commands.append(f"fusedet detect models/best.fused.onnx street.mp4{score}")
        weights = f"<p>The weights of the best epoch: <code>{escape(str(record.run.best))}</code>. How to go on:</p>"
    else:
        weights = "<p>How to go on:</p>" if commands else ""
    return weights + code("\n".join(commands)) if commands else ""


def _recommended(analysis: Analysis | None) -> float | None:
    return None if analysis is None or math.isnan(analysis.confidence) else analysis.confidence


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
    if _recommended(analysis) is None:
        return "Nothing was found that is right at IoU 0.5."
    return (
        f"At IoU 0.5. A confidence of <b>{analysis.confidence:.2f}</b> gives the best mean F1 and is recommended where "
        "a missed object and a false alarm are equally bad; lower finds more, higher is wrong less often."
    )


def _class_note(at: str) -> str:
    return (
        f"The worst first. Precision, recall and F1 are those at a confidence of {at}; “best confidence” is the one "
        "with the best F1 of that class alone."
    )


def _confusion_note(at: str) -> str:
    return (
        f"At a confidence of {at} and IoU 0.5. A row is what is there, a column what was found, in percent of the row: "
        "the diagonal is the recall. The row “background” shares out the false alarms."
    )


def _sizes(dataset: CocoDataset) -> tuple[int, int, int]:
    areas = np.concatenate([np.zeros(0), *(sample.areas[~sample.crowd] for sample in dataset.samples)])
    small, up_to_medium = int((areas < _SMALL).sum()), int((areas < _MEDIUM).sum())
    return small, up_to_medium - small, len(areas) - up_to_medium


def _pictures(analysis: Analysis, at: str) -> list[tuple[str, str, str, str]]:
    best, worst = best_and_worst(analysis.judged)
    perfect = sum(not one.errors for one in analysis.judged)
    note = (
        f"The labels and, beside them, what is found at a confidence of {at}. {len(analysis.judged) - perfect} of "
        f"{len(analysis.judged)} pictures have an error. A confident false alarm is often an object nobody labelled."
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


def duration(seconds: float) -> str:
    """As people say it: ``42 s``, ``19 min``, ``3 h 07 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
