"""What a user sees at one score threshold: how many boxes are right, how many are duplicates, how well they count."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.boxes import box_iou
from fusedet.deploy.detector.detections import Detections
from fusedet.train.data.coco import CocoDataset, Sample
from fusedet.train.evaluation.curves import ConfidenceCurves, best_confidence, confidence_curves, mean_curves
from fusedet.train.evaluation.matching import IGNORED, NONE, best_labels, match, rank

#: The score threshold where no better one is known: nothing was found that is right. ``fusedet detect`` has it, too.
DEFAULT_THRESHOLD = 0.25
#: A wrong box that overlaps a better one of its class by more than this shows the same object again.
_DUPLICATE_IOU = 0.6


@dataclass(frozen=True)
class OperatingPoint:
    """Figures of all boxes of a data set whose score is at least a threshold, at IoU 0.5, one class for each box.

    Boxes in regions to ignore are not counted. Ratios are NaN where there is nothing to divide by.
    """

    threshold: float  # lowest score that is shown, in 0..1
    shown: int  # boxes
    objects: int  # annotated objects
    found: int  # objects that a box of their class overlaps by 0.5 or more, one box for each object
    duplicates: int  # boxes that found no object of their own and overlap a better box of their class by more than 0.6
    miscounted: int  # sum over images and classes of the difference between boxes and objects

    @property
    def precision(self) -> float:
        """Part of the boxes that are right."""
        return _ratio(self.found, self.shown)

    @property
    def recall(self) -> float:
        """Part of the objects that are found."""
        return _ratio(self.found, self.objects)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.found, self.shown + self.objects)

    @property
    def duplicate_share(self) -> float:
        """Part of the boxes that are duplicates."""
        return _ratio(self.duplicates, self.shown)

    @property
    def count_error(self) -> float:
        """Miscounted objects over all objects: 0 where each image shows as many of each class as there are."""
        return _ratio(self.miscounted, self.objects)

    def as_dict(self) -> dict[str, float | None]:
        """Counts and ratios for a JSON file; null stands for NaN."""
        ratios = ("precision", "recall", "f1", "duplicate_share", "count_error")
        values = {**asdict(self), **{name: getattr(self, name) for name in ratios}}
        return {name: None if math.isnan(value) else value for name, value in values.items()}

    def __str__(self) -> str:
        return (
            f"at score {self.threshold:.2f}: precision {self.precision:.2f}, recall {self.recall:.2f}, "
            f"duplicates {100 * self.duplicate_share:.1f} %, count error {self.count_error:.2f}"
        )


def recommended_threshold(dataset: CocoDataset, found: Mapping[int, Detections]) -> float:
    """The score of the best F1, averaged over classes; :data:`DEFAULT_THRESHOLD` where nothing right was found."""
    best = best_confidence(mean_curves(_curves(dataset, found)).f1)
    return DEFAULT_THRESHOLD if math.isnan(best) else best


def class_thresholds(dataset: CocoDataset, found: Mapping[int, Detections]) -> dict[str, float]:
    """The score of the best F1 of each class; NaN where nothing right was found."""
    thresholds = (best_confidence(curves.f1) for curves in _curves(dataset, found))
    return dict(zip(dataset.names, thresholds, strict=True))


def _curves(dataset: CocoDataset, found: Mapping[int, Detections]) -> list[ConfidenceCurves]:
    """Of each class, one class for each box."""
    shown = {image_id: best_labels(detections) for image_id, detections in found.items()}
    return [confidence_curves(ranked) for ranked in rank(dataset, shown)]


def operating_point(
    dataset: CocoDataset, found: Mapping[int, Detections], threshold: float | None = None
) -> OperatingPoint:
    """Counts what is shown at a score threshold in 0..1; left out, :func:`recommended_threshold`.

    ``found`` holds detections by image id; an image that is left out has none.
    """
    if threshold is None:
        threshold = recommended_threshold(dataset, found)
    nothing = Detections.empty(dataset.names)
    counts = np.zeros(5, np.int64)
    for sample in dataset.samples:
        detections = best_labels(found.get(sample.image_id, nothing))
        counts += _count(sample, detections[detections.scores >= threshold], len(dataset.names))
    return OperatingPoint(float(threshold), *counts.tolist())


def _count(sample: Sample, shown: Detections, classes: int) -> NDArray[np.int64]:
    """Boxes, objects, found objects, duplicates and miscounted objects of one image: ``[5]``."""
    matched = match(sample, shown)
    counted = matched != IGNORED
    boxes = np.bincount(shown.class_ids[counted], minlength=classes)
    objects = np.bincount(sample.labels[~sample.crowd], minlength=classes)
    found, duplicates = (matched >= 0).sum(), _duplicates(shown, matched).sum()
    return np.array([boxes.sum(), objects.sum(), found, duplicates, np.abs(boxes - objects).sum()], np.int64)


def _duplicates(shown: Detections, matched: NDArray[np.int64]) -> NDArray[np.bool_]:
    """``[N]``: wrong boxes that overlap an earlier one, which has a higher score, of their class."""
    same_class = shown.class_ids[:, None] == shown.class_ids
    overlapping = (box_iou(shown.boxes_xyxy, shown.boxes_xyxy) > _DUPLICATE_IOU) & same_class
    return (matched == NONE) & np.tril(overlapping, -1).any(axis=1)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
