"""The head of a report: what was trained on what, what came out, and how to go on."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from fusedet.common.html import code, percent, share, tiles
from fusedet.train.data.coco import CocoDataset
from fusedet.train.data.training_sets import count_objects
from fusedet.train.evaluation.outputs import NMS_FREE_FLAG
from fusedet.train.evaluation.report.analysis import Analysis, Evaluation
from fusedet.train.evaluation.report.latency import FileLatency
from fusedet.train.evaluation.report.output_figures import nms_free_is_better
from fusedet.train.evaluation.report.record import RunRecord

__all__ = ["Content", "best_epoch", "duration", "recommended", "report_head"]

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


def report_head(content: Content) -> str:
    """What stands above all sections, as HTML."""
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


def best_epoch(record: RunRecord) -> int:
    """Counted from 1; 0 before the first grade."""
    row = record.best_row
    return int(row["epoch"]) if row else 0


def _result(content: Content) -> str:
    record = content.record
    row = record.best_row
    if row is None:
        return "No epoch was graded yet."
    return (
        f"AP50-95 {row['ap']:.3f} and AP50 {row['ap50']:.3f} after epoch {best_epoch(record)} of "
        f"{record.config.train.epochs}, {duration(record.seconds)} of training in all."
    )


def _state(record: RunRecord) -> str:
    if record.epochs_done >= record.config.train.epochs:
        return ""
    if record.out_of_patience:
        return f"It stopped after epoch {record.epochs_done}, as train.patience says."
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
        found = [(share(row["ap"]), "AP50-95"), (share(row["ap50"]), "AP50")]
    if analysis is not None and recommended(analysis) is not None:
        at = float(np.nanmax(analysis.mean.f1))
        found.append((f"{analysis.confidence:.2f}", f"recommended score threshold (F1 {at:.2f})"))
    output = record.evaluated_output
    if output is not None:
        at_score = f"at score {output.point.threshold:.2f}"
        found.append((percent(output.point.duplicate_share), f"duplicates {at_score}"))
        found.append((share(output.point.count_error, 2), f"count error {at_score}"))
    if row is not None:
        found.append((f"{best_epoch(record)}", f"best epoch of {record.epochs_done}"))
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
        nms_free = nms_free_is_better(record)
        commands.append(f"{export} {NMS_FREE_FLAG}" if nms_free else export)
        threshold = record.outputs[1].point.threshold if nms_free else recommended(content.analysis)
        score = "" if threshold is None else f" --score {threshold:.2f}"
        commands.append(f"fusedet detect models/best.fused.onnx street.mp4{score}")
        weights = f"<p>The weights of the best epoch: <code>{escape(str(record.run.best))}</code>. How to go on:</p>"
    else:
        weights = "<p>How to go on:</p>" if commands else ""
    return weights + code("\n".join(commands)) if commands else ""


def recommended(analysis: Analysis | None) -> float | None:
    """The confidence to use, where there is one."""
    return None if analysis is None or math.isnan(analysis.confidence) else analysis.confidence


def duration(seconds: float) -> str:
    """As people say it: ``42 s``, ``19 min``, ``3 h 07 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
