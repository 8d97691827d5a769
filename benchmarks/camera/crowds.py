"""Does the removal of duplicate detections thin crowds? Images with many objects of a class, at several duplicate_iou.

    python -m benchmarks.camera.crowds best.pt nano --data my_data                  # both outputs of a checkpoint
    python -m benchmarks.camera.crowds best.fused.onnx --data my_data --class person --at-least 8
    python -m benchmarks.camera.crowds --time                                       # microseconds of decode_outputs

A model is a checkpoint, an exported file, or a preset with starter weights. Recall is at IoU 0.5: of all boxes, and of
those that reach the score threshold of the class's best F1 with this output on the whole of ``annotations/val.json``.
The rows ``ground truth`` say what the step would take from a detector that finds every object with its very box.
"""

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.command import run_command
from fusedet.common.arguments import DUPLICATE_IOU
from fusedet.common.errors import InputError
from fusedet.configs.starter import available, starter_checkpoint
from fusedet.deploy.detector.contract import Contract
from fusedet.deploy.detector.decoding import decode_outputs, nms
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.letterbox import letterbox
from fusedet.deploy.detector.pool import DetectorPool
from fusedet.train.config import EvalConfig
from fusedet.train.data.coco import CocoDataset, Sample, load_coco
from fusedet.train.evaluation.evaluate import TorchDetector, find_objects, load_predictor
from fusedet.train.evaluation.matching import best_labels
from fusedet.train.evaluation.operating_point import operating_point, recommended_threshold

#: The values of duplicate_iou that are compared; None keeps duplicate detections.
IOUS = (None, 0.5, 0.6, 0.7, 0.8, 0.9)
HEADER = (
    "| model | output | duplicate_iou | recall, all boxes | score | recall | precision | duplicates | count error |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def crowded(dataset: CocoDataset, label: int, at_least: int) -> CocoDataset:
    """The images with at least so many objects of a class; regions to ignore do not count.

    Raises:
        InputError: there is none.
    """
    samples = tuple(s for s in dataset.samples if ((s.labels == label) & ~s.crowd).sum() >= at_least)
    if not samples:
        raise InputError(f"{dataset.source}: no image has {at_least} or more objects of {dataset.names[label]}")
    return dataclasses.replace(dataset, samples=samples)


def only_class(dataset: CocoDataset, label: int) -> CocoDataset:
    """The same images with the objects of one class."""
    return dataclasses.replace(dataset, samples=tuple(_of_class(sample, label) for sample in dataset.samples))


def _of_class(sample: Sample, label: int) -> Sample:
    chosen = sample.labels == label
    fields = ("boxes_xyxy", "labels", "crowd", "areas", "scores")
    return dataclasses.replace(sample, **{name: getattr(sample, name)[chosen] for name in fields})


def model_rows(model: Path, dataset: CocoDataset, label: int, at_least: int) -> Iterator[str]:
    """A line of the table for each output of a model and each value of duplicate_iou, which the one with NMS has not.

    Raises:
        InputError: the model cannot be used, or no image is a crowd.
    """
    crowd = crowded(dataset, label, at_least)
    for nms_due in _outputs(model):
        whole = load_predictor(model, EvalConfig(nms=nms_due))
        everything = _shown(find_objects(whole, dataset), label)
        threshold = recommended_threshold(only_class(dataset, label), everything)
        for iou in [None] if nms_due else IOUS:
            found = find_objects(load_predictor(model, EvalConfig(nms=nms_due, duplicate_iou=iou)), crowd)
            setting = "-" if nms_due else _iou_text(iou)
            yield f"| {model.name} | {'with NMS' if nms_due else 'NMS-free'} | {setting} " + _figures(
                only_class(crowd, label), _shown(found, label), threshold
            )


def ground_truth_rows(dataset: CocoDataset, label: int, at_least: int) -> Iterator[str]:
    """The lines of a detector that finds every object of a class with its very box."""
    crowd = only_class(crowded(dataset, label, at_least), label)
    for iou in IOUS:
        found = {sample.image_id: _annotated(sample, dataset.names, iou) for sample in crowd.samples}
        yield f"| ground truth | - | {_iou_text(iou)} " + _figures(crowd, found, 0.0)


def _annotated(sample: Sample, names: tuple[str, ...], iou: float | None) -> Detections:
    objects = np.flatnonzero(~sample.crowd)
    boxes, labels = sample.boxes_xyxy[objects], sample.labels[objects]
    found = Detections(boxes, np.ones(len(objects), np.float32), labels, names)
    return found if iou is None else found[nms(boxes, found.scores, labels, iou)]


def _outputs(model: Path) -> list[bool]:
    """Whether NMS is due, for each output of a model: a checkpoint has both, an exported file one."""
    predictor = load_predictor(model, EvalConfig())
    if isinstance(predictor, TorchDetector):
        return [False, True]
    assert isinstance(predictor, DetectorPool)
    return [predictor.detectors[0].contract.nms]


def _shown(found: Mapping[int, Detections], label: int) -> dict[int, Detections]:
    """The detections whose best class is this one."""
    best = {image_id: best_labels(detections) for image_id, detections in found.items()}
    return {image_id: detections[detections.class_ids == label] for image_id, detections in best.items()}


def _figures(dataset: CocoDataset, found: Mapping[int, Detections], threshold: float) -> str:
    everything, point = operating_point(dataset, found, 0.0), operating_point(dataset, found, threshold)
    return (
        f"| {everything.recall:.3f} | {threshold:.2f} | {point.recall:.3f} | {point.precision:.3f} "
        f"| {point.duplicates} of {point.shown} | {point.count_error:.3f} |"
    )


def _iou_text(iou: float | None) -> str:
    return "none" if iou is None else f"{iou:g}"


def time_rows(rounds: int = 2000) -> Iterator[str]:
    """A table of microseconds of ``decode_outputs``, by the clock of the thread: the cases take turns."""
    place = letterbox(np.zeros((480, 640, 3), np.uint8), (320, 320), 114)[1]
    free, due = (Contract(("person",), (320, 320), nms=flag) for flag in (False, True))
    pairs, clusters = _clusters(50, 2), _clusters(60, 5)
    cases = {
        "100 boxes, duplicates kept": (pairs, free, None),
        f"100 boxes, duplicate_iou {DUPLICATE_IOU:g}": (pairs, free, DUPLICATE_IOU),
        "300 boxes, NMS": (clusters, due, None),
    }
    times_us: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, ((boxes, scores), contract, iou) in cases.items():
            start = time.thread_time_ns()
            decode_outputs(boxes, scores, np.zeros(len(boxes), np.int64), place, contract, 0.25, 300, True, iou)
            times_us[name].append((time.thread_time_ns() - start) / 1000)
    yield "| decode_outputs of | microseconds, minimum | median |\n| --- | ---: | ---: |"
    for name, values in times_us.items():
        yield f"| {name} | {min(values):.0f} | {statistics.median(values):.0f} |"


def _clusters(objects: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """``each`` boxes around each of so many objects, ``[N, 4]`` xyxy, and scores above any threshold, ``[N]``."""
    generator = np.random.default_rng(0)
    left_top = generator.uniform((0, 40), (280, 220), (objects, 2))
    boxes = np.repeat(np.hstack([left_top, left_top + generator.uniform(20, 40, (objects, 2))]), each, axis=0)
    boxes += generator.normal(0, 1, boxes.shape)
    return boxes.astype(np.float32), generator.uniform(0.3, 0.9, len(boxes)).astype(np.float32)


def _model(name: str) -> Path:
    return starter_checkpoint(name) if name in available() and not Path(name).exists() else Path(name)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", metavar="MODEL", nargs="*", help="checkpoint, exported file, or preset")
    parser.add_argument("--data", type=Path, metavar="DIR", help="images/, annotations/val.json")
    parser.add_argument("--class", dest="name", default="person", metavar="NAME", help="(default: %(default)s)")
    parser.add_argument("--at-least", type=int, default=8, metavar="N", help="objects in an image (default: 8)")
    parser.add_argument("--time", action="store_true", help="time decode_outputs instead")
    args = parser.parse_args(arguments)
    if args.time:
        print("\n".join(time_rows()))
        return 0
    if args.data is None or not args.models:
        raise InputError("expected MODEL and --data, or --time")
    dataset = load_coco(args.data / "annotations" / "val.json", args.data / "images")
    if args.name not in dataset.names:
        raise InputError(f"--class {args.name}: {dataset.source} has no such class")
    label = dataset.names.index(args.name)
    crowd = only_class(crowded(dataset, label, args.at_least), label)
    objects = sum(int((~sample.crowd).sum()) for sample in crowd.samples)
    print(f"{len(crowd.samples)} images with {args.at_least} or more of {args.name}, {objects} in all\n\n{HEADER}")
    for row in ground_truth_rows(dataset, label, args.at_least):
        print(row, flush=True)
    for name in args.models:
        for row in model_rows(_model(name), dataset, label, args.at_least):
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("crowds", main))
