"""The head of a report in words: what was trained on what, what came out, and how to go on."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fusedet.common.pages import percent, share
from fusedet.common.text import counted, millions
from fusedet.configs.starter import available
from fusedet.model.config import ModelConfig
from fusedet.train.config import load_train_config
from fusedet.train.data.coco import CocoDataset
from fusedet.train.data.training_sets import count_objects
from fusedet.train.evaluation.outputs import NMS_FREE_FLAG, better_output
from fusedet.train.evaluation.report.analysis import Analysis, Evaluation
from fusedet.train.evaluation.report.latency import FileLatency
from fusedet.train.evaluation.report.record import RunRecord

#: Largest difference of two evaluations of the same weights on the same images: GPUs and processors round differently.
_ALIKE = 0.005


@dataclass(frozen=True)
class Content:
    """What a report is made from."""

    record: RunRecord
    #: the training and the validation set; None where they were left out
    sets: tuple[CocoDataset, CocoDataset] | None = None
    evaluation: Evaluation | None = None  # of the best weights; None where there is none
    analysis: Analysis | None = None  # of that evaluation
    latencies: Sequence[FileLatency] = ()  # of exported files, on this machine
    without: str = ""  # why there is no evaluation, as a sentence


def notes(content: Content) -> list[str]:
    """What one has to know of the figures before one reads them."""
    return [text for text in (_state(content.record), content.without, _disagreement(content)) if text]


def best_epoch(record: RunRecord) -> int:
    """Counted from 1; 0 before the first evaluation."""
    row = record.best_row
    return int(row["epoch"]) if row else 0


def result(content: Content) -> str:
    """What the training reached, in a sentence."""
    record = content.record
    row = record.best_row
    if row is None:
        nothing = content.sets is not None and count_objects(content.sets[1])[0] == 0
        return "The validation images have no object to find." if nothing else "No epoch was evaluated yet."
    return (
        f"AP50-95 {row['ap']:.3f} and AP50 {row['ap50']:.3f} after epoch {best_epoch(record)} of "
        f"{record.config.train.epochs}, {duration(record.seconds)} of training in all."
    )


def _state(record: RunRecord) -> str:
    if record.epochs_done >= record.config.train.epochs:
        return ""
    if record.out_of_patience:
        return (
            f"It stopped after epoch {record.epochs_done}: none of the last {record.config.train.patience} epochs was "
            "better."
        )
    return (
        f"{record.epochs_done} of {record.config.train.epochs} epochs are done: the training goes on, or was "
        "interrupted. The figures are those so far."
    )


def _disagreement(content: Content) -> str:
    """An accuracy that is not the training's own: the images are others, or the weights or the software."""
    row, evaluation = content.record.best_row, content.evaluation
    if row is None or evaluation is None or abs(evaluation.metrics.ap - row["ap"]) < _ALIKE:
        return ""
    return (
        f"Evaluated for this report, the best weights reach AP50-95 {evaluation.metrics.ap:.3f}, but {row['ap']:.3f} "
        "in training: the data or the weights are not what they were then."
    )


def trained_on(content: Content) -> str:
    """The network and its data, in two sentences."""
    record = content.record
    config = record.config
    height, width = config.model.input_size
    size = f"{millions(record.best.parameters)} parameters, " if record.best else ""
    classes = config.model.classes
    start = "from scratch" if config.train.init is None else f"from {config.train.init}"
    name = preset_of(config.model) or "network"
    text = f"A {name} of {size}{counted(classes or 0, 'class', 'classes')}, input {width} × {height} px, {start}. "
    if content.sets is None:
        return f"{text}Trained on {config.data.train_annotations}, evaluated on {config.data.val_annotations}."
    held = [f"{len(one.samples):,} images with {count_objects(one)[0]:,} objects" for one in content.sets]
    return f"{text}It was trained on {held[0]}, and is evaluated on {held[1]} ({content.sets[1].source})."


def preset_of(model: ModelConfig) -> str | None:
    """The preset that has these layers; None where they are somebody's own."""
    for name in available():
        layers = load_train_config(name).model
        if layers.model_copy(update={"classes": model.classes, "input_size": model.input_size}) == model:
            return name
    return None


def tiles(content: Content) -> list[tuple[str, str]]:
    """The figures to see first, each with what it is."""
    record, analysis = content.record, content.analysis
    row = record.best_row
    found = []
    if row is not None:
        found = [(share(row["ap"]), "AP50-95"), (share(row["ap50"]), "AP50")]
    if analysis is not None and recommended(analysis) is not None:
        at = float(np.nanmax(analysis.mean.f1))
        found.append((f"{analysis.best_threshold:.2f}", f"recommended score threshold (F1 {at:.2f})"))
    output = record.evaluated_output
    if output is not None:
        at_score = f"at score {output.point.threshold:.2f}"
        found.append((percent(output.point.duplicate_share), f"duplicates {at_score}"))
        found.append((share(output.point.count_error, 2), f"count error {at_score}"))
    if row is not None:
        found.append((f"{best_epoch(record)}", f"best epoch of {record.epochs_done}"))
    if record.rows:
        found.append((duration(record.seconds), "training and evaluation"))
    if record.best is not None:
        found.append((millions(record.best.parameters), "parameters"))
    return found


def commands(content: Content) -> list[str]:
    """To go on with: train on, export, detect."""
    record = content.record
    run, data = shlex.quote(str(record.run.path)), record.config.data
    place = shlex.quote(str(data.root or data.val_annotations))
    found = []
    if not record.finished:
        found.append(f"fusedet train --resume {run}")
    if record.best is not None:
        export = f"fusedet export {run} --out models --data {place}"
        if data.root is None and data.val_images is not None:
            export = f"fusedet export {run} --out models --images {shlex.quote(str(data.val_images))}"
        nms_free = len(record.outputs) == 2 and not better_output(*record.outputs).nms
        found.append(f"{export} {NMS_FREE_FLAG}" if nms_free else export)
        threshold = record.outputs[1].point.threshold if nms_free else recommended(content.analysis)
        score = "" if threshold is None else f" --score {threshold:.2f}"
        found.append(f"fusedet detect models/best.fused.onnx street.mp4{score}")
    return found


def recommended(analysis: Analysis | None) -> float | None:
    """The score threshold to use, where there is one."""
    return None if analysis is None or math.isnan(analysis.best_threshold) else analysis.best_threshold


def duration(seconds: float) -> str:
    """As people say it: ``42 s``, ``19 min``, ``3 h 07 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
