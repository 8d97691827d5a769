"""Proof that an exported file finds what the network finds, box by box, on images.

The network in torch, the plain file and the fused file look at the same letterboxed images. Each detection of one
must have one counterpart in the other, both ways round: same class, nearly the same score, nearly the same box.
Elementwise differences of the outputs would not do: two detections of nearly equal score may change places.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fusedet.common.text import counted
from fusedet.deploy.detector.boxes import box_iou
from fusedet.deploy.detector.compare import pair_detections
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.formats import ModelFormat, find_format
from fusedet.deploy.detector.letterbox import letterbox, to_blob
from fusedet.deploy.detector.runtimes.protocol import Session
from fusedet.deploy.detector.session import open_session
from fusedet.export.errors import ExportError
from fusedet.export.graph.raw_layout import RawGraph
from fusedet.export.graph.ultralytics_layout import UltralyticsGraph
from fusedet.export.proof.images import Images, draw_images
from fusedet.model import InferenceGraph


@dataclass(frozen=True)
class Tolerance:
    """How far two runs of one network may differ: rounding, and no more.

    Attributes:
        threshold: detections from this score on must have a counterpart.
        adaptive: where the best score of an image is lower than the threshold, as in a network that has learned
            nothing, the median of the scores takes its place: the better half counts. Else such an image counts for
            nothing.
        score: largest difference of scores, as a fraction of the threshold.
        rounding: difference of scores that is allowed at any threshold: the median of an image without objects is as
            good as zero, and a fraction of it less than float32 can tell apart.
        iou: least IoU of a detection and its counterpart.
        side: a box whose sides move less than this fraction of its largest coordinate is the same, whatever its IoU:
            boxes without area have none, and a network that has learned nothing gives such boxes.
        tie: scores this near, as a fraction of the threshold, to the lowest one kept may fall off the end of the list
            in one run and not in the other; ``-math.inf`` where nothing falls off, as in lists cut by a score.
    """

    threshold: float = 0.1
    adaptive: bool = True
    score: float = 0.01
    rounding: float = 1e-4
    iou: float = 0.99
    side: float = 1e-4
    tie: float = 1e-4


@dataclass(frozen=True)
class Missing:
    """A detection without counterpart in an image: who finds it, who does not, and what is nearest."""

    image: str
    what: str

    def __str__(self) -> str:
        return f"{self.image}: {self.what}"


@dataclass(frozen=True)
class Agreement:
    """How well two runs, such as ``("torch", "plain")``, agree.

    Attributes:
        compared: detections that have their counterpart.
        tied: detections that fell off the end of the other list by a hair.
        score: largest difference of scores in a pair.
        side_px: largest difference of a box side in a pair, in input pixels.
        iou: least IoU of a pair.
        missing: detections without counterpart, of either run.
        worst: the image with most of these; where none has any, the one with the largest difference of scores.
    """

    between: tuple[str, str]
    images: int
    compared: int
    tied: int
    score: float
    side_px: float
    iou: float
    missing: tuple[Missing, ...] = ()
    worst: str = ""

    @property
    def matched_share(self) -> float:
        """Part of both runs' detections that have a counterpart, 0..1; those at the end of a list do not count."""
        paired = 2 * self.compared  # a pair is a detection of each run
        return paired / (paired + len(self.missing)) if paired else 0.0

    def __str__(self) -> str:
        return (
            f"{self.between[0]} = {self.between[1]}: {self.compared} boxes on {self.images} images, largest "
            f"difference {self.score:.1e} in score, {self.side_px:.1e} px in position"
        )


def verify(
    graph: InferenceGraph | UltralyticsGraph | RawGraph,
    plain: Path,
    fused: Path,
    images: Images | None = None,
    tolerance: Tolerance | None = None,
) -> tuple[Agreement, Agreement]:
    """Compares torch with the plain file, and the plain file with the fused one, on ``images`` or on drawn ones.

    Raises:
        ExportError: a detection has no counterpart, an output is not finite, or there was nothing to compare.
        InputError: ONNX Runtime cannot run a file.
    """
    images = images or draw_images()
    session = open_session(plain)
    kind = find_format(session, str(plain))
    contract = kind.contract
    blobs = {
        name: to_blob([letterbox(image, contract.input_size, contract.pad_value)[0]], contract.input_format)
        for name, image in images.items()
    }
    expected = _run_torch(graph, blobs, kind)
    from_plain = _run_onnx(session, blobs, kind)
    from_fused = _run_onnx(open_session(fused), blobs, kind)
    height, width = contract.input_size
    points = sum((height // stride) * (width // stride) for stride in contract.strides)
    return (
        compare(("torch", "plain"), expected, from_plain, tolerance, points=points),
        compare(("plain", "fused"), from_plain, from_fused, tolerance, points=points),
    )


def compare(
    between: tuple[str, str],
    first: Mapping[str, Detections],
    second: Mapping[str, Detections],
    tolerance: Tolerance | None = None,
    *,
    points: int | None = None,
    strict: bool = True,
) -> Agreement:
    """Pairs the detections of two runs, by image.

    Args:
        points: anchor points of the network: nothing fell off the end of a list of so many detections.
        strict: raise ExportError at the first image with a detection that has no counterpart; else they are all
            counted.

    Raises:
        ExportError: see :func:`verify`.
    """
    comparison = _Comparison(between, tolerance or Tolerance(), points)
    for image, detections in first.items():
        comparison.add(image, detections, second[image])
        if strict and comparison.missing:
            raise ExportError(str(comparison.missing[0]))
    return comparison.result()


class _Comparison:
    """Pairs of detections found so far."""

    def __init__(self, between: tuple[str, str], tolerance: Tolerance, points: int | None) -> None:
        self.between, self.tolerance, self.points = between, tolerance, points
        self.images = self.conclusive = self.tied = 0
        self.gaps: list[tuple[float, float, float]] = []  # of each pair: score, box side, 1 - IoU
        self.missing: list[Missing] = []
        self.badness: dict[str, tuple[int, float]] = {}  # of each image: detections missing, largest score gap

    def add(self, image: str, first: Detections, second: Detections) -> None:
        """Pairs what both runs find in one image."""
        for name, run in zip(self.between, (first, second), strict=True):
            if not (np.isfinite(run.boxes_xyxy).all() and np.isfinite(run.scores).all()):
                raise ExportError(f"{image}: {name} gives boxes or scores that are not finite numbers")
        tolerance, threshold = self.tolerance, self.tolerance.threshold
        if tolerance.adaptive and first.scores.max() < threshold:
            threshold = float(np.median(first.scores))
        pairing = pair_detections(
            first,
            second,
            thresholds=(threshold, threshold),
            score=max(tolerance.score * threshold, tolerance.rounding),
            iou=tolerance.iou,
            side=tolerance.side,
        )
        tied, missing = 0, list[Missing]()
        for positions, own, other, names in zip(
            pairing.unmatched, (first, second), (second, first), (self.between, self.between[::-1]), strict=True
        ):
            for index in positions:
                if self._may_have_fallen_off(float(own.scores[index]), other, threshold):
                    tied += 1
                else:
                    missing.append(Missing(image, _describe(own, index, other, names)))
        self.gaps += [(pair.score, pair.side_px, 1 - pair.iou) for pair in pairing.pairs]
        self.missing += missing
        self.tied += tied
        self.images += 1
        self.conclusive += 2 * len(pairing.pairs) > tied  # a pair stands for two detections, one in each list
        self.badness[image] = (len(missing), max((pair.score for pair in pairing.pairs), default=0.0))

    def result(self) -> Agreement:
        """The figures of all images together."""
        if not self.conclusive and not self.missing:
            what = (
                "their scores are too nearly equal" if self.tied else f"no score reaches {self.tolerance.threshold:g}"
            )
            raise ExportError(
                f"the network has learned too little to compare {' and '.join(self.between)} on "
                f"{counted(self.images, 'image')}: {what}; train for longer, or give images of what it was trained on"
            )
        score, side, iou = map(float, np.array(self.gaps).max(axis=0)) if self.gaps else (0.0, 0.0, 1.0)
        worst = max(self.badness, key=lambda image: self.badness[image])
        counts = (self.images, len(self.gaps), self.tied)
        return Agreement(self.between, *counts, score, side, 1 - iou, tuple(self.missing), worst)

    def _may_have_fallen_off(self, score: float, opposite: Detections, threshold: float) -> bool:
        """Whether so low a score can be past the end of the other list; nothing can with all anchor points kept."""
        if len(opposite) in (0, self.points):
            return False
        return score <= float(opposite.scores.min()) + self.tolerance.tie * threshold


def _describe(own: Detections, index: int, opposite: Detections, between: tuple[str, str]) -> str:
    """Who finds the detection at ``index``, who does not, and what is nearest."""
    nearest = "none"
    same_class = opposite.class_ids == own.class_ids[index]
    if same_class.any():
        ious = box_iou(own.boxes_xyxy[index], opposite.boxes_xyxy)[0]
        near = int(np.where(same_class, ious, -1).argmax())
        nearest = f"score {opposite.scores[near]:.4f}, IoU {ious[near]:.3f}"
    sides = [round(float(side), 1) for side in own.boxes_xyxy[index]]
    return (
        f"{between[0]} finds {own.names[own.class_ids[index]]} with score {own.scores[index]:.4f} at {sides}, "
        f"{between[1]} does not; nearest of that class: {nearest}"
    )


@torch.inference_mode()
def _run_torch(
    graph: InferenceGraph | UltralyticsGraph | RawGraph, blobs: Mapping[str, NDArray[Any]], kind: ModelFormat
) -> dict[str, Detections]:
    results = {}
    for name, blob in blobs.items():
        outputs = graph(torch.from_numpy(blob).to(graph.points.device))
        results[name] = _detections(kind, [output[0].cpu().numpy() for output in outputs])
    return results


def _run_onnx(session: Session, blobs: Mapping[str, NDArray[Any]], kind: ModelFormat) -> dict[str, Detections]:
    """One image at a time, or three where the batch is open, so that images which leak into each other show."""
    network_input = session.get_inputs()[0]
    size = 1 if network_input.shape[0] == 1 else 3
    names = list(blobs)
    results = {}
    for start in range(0, len(names), size):
        group = names[start : start + size]
        arrays = session.run(kind.output_names, {network_input.name: np.concatenate([blobs[name] for name in group])})
        results.update({name: _detections(kind, outputs) for name, *outputs in zip(group, *arrays, strict=True)})
    return results


def _detections(kind: ModelFormat, outputs: list[NDArray[Any]]) -> Detections:
    """All that a graph gives for one image, in pixels of the network's input."""
    return Detections(*kind.read(outputs), kind.contract.names)
