"""What is worked out of an evaluation: what each class reaches at which score threshold, and what went wrong."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.detections import Detections
from fusedet.train.data.coco import CocoDataset
from fusedet.train.evaluation.curves import (
    ConfidenceCurves,
    best_confidence,
    confidence_curves,
    interpolated_precision,
    mean_curves,
)
from fusedet.train.evaluation.matching import IGNORED, Judged, best_labels, judge, rank
from fusedet.train.evaluation.metrics import Metrics
from fusedet.train.evaluation.operating_point import DEFAULT_THRESHOLD


@dataclass(frozen=True)
class Evaluation:
    """What the best weights found in the validation images."""

    dataset: CocoDataset
    found: Mapping[int, Detections]  # detections by image id, all hypotheses
    metrics: Metrics  # COCO's figures of them
    seconds: float | None = None  # that the evaluation took for the report; None where the training had done it


@dataclass(frozen=True)
class Confusion:
    """Counts of pairs of object and detection: which classes are taken for which, the background being one more."""

    names: tuple[str, ...]  # of the C classes
    #: int64 ``[C + 1, C + 1]``: a row for each true class, a column for each class that was found. The last row holds
    #: false alarms, where there is background; the last column missed objects.
    counts: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Parts in 0..1: of the objects of the row's class; in the last row, of the boxes of the column's class."""
        totals = np.repeat(self.counts.sum(axis=1, keepdims=True), len(self.counts), axis=1)
        totals[-1] = self.counts.sum(axis=0)
        return np.divide(self.counts, totals, out=np.zeros(self.counts.shape), where=totals > 0)

    def worst_pairs(self, most: int = 10) -> list[tuple[str, str, int]]:
        """True class, class that was found instead, and how often: the most frequent first."""
        wrong = self.counts[:-1, :-1].copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        rows, columns = np.unravel_index(order, wrong.shape)
        return [
            (self.names[row], self.names[column], int(wrong[row, column]))
            for row, column in zip(rows, columns, strict=True)
            if wrong[row, column]
        ]


@dataclass(frozen=True)
class Analysis:
    """An evaluation, looked at closely, all at IoU 0.5."""

    names: tuple[str, ...]  # of the C classes
    objects: tuple[int, ...]  # [C] of each class
    precision: NDArray[np.float64]  # [C, 101]: see :func:`fusedet.train.evaluation.curves.interpolated_precision`
    by_class: tuple[ConfidenceCurves, ...]  # over the score threshold, of each class
    mean: ConfidenceCurves  # of all classes that have objects
    #: the score threshold that gives the best mean F1, recommended; NaN where nothing right was found
    best_threshold: float
    judged: tuple[Judged, ...]  # each image at that threshold
    confusion: Confusion  # at that threshold

    @property
    def threshold(self) -> float:
        """The score threshold at which images are shown and classes compared."""
        return DEFAULT_THRESHOLD if math.isnan(self.best_threshold) else self.best_threshold


def analyse(evaluation: Evaluation) -> Analysis:
    """Works it out. AP needs all hypotheses; over the threshold a box has one class, as the runtime reports it."""
    dataset, found = evaluation.dataset, evaluation.found
    ranked = rank(dataset, found)
    shown = {image_id: best_labels(detections) for image_id, detections in found.items()}
    by_class = tuple(confidence_curves(one) for one in rank(dataset, shown))
    mean = mean_curves(by_class)
    best_threshold = best_confidence(mean.f1)
    threshold = DEFAULT_THRESHOLD if math.isnan(best_threshold) else best_threshold
    nothing = Detections.empty(dataset.names)
    judged = tuple(judge(sample, shown.get(sample.image_id, nothing), threshold) for sample in dataset.samples)
    return Analysis(
        names=dataset.names,
        objects=tuple(one.objects for one in ranked),
        precision=np.stack([interpolated_precision(one) for one in ranked]),
        by_class=by_class,
        mean=mean,
        best_threshold=best_threshold,
        judged=judged,
        confusion=confusion(dataset.names, judged),
    )


def confusion(names: tuple[str, ...], judged: Iterable[Judged]) -> Confusion:
    """The matrix of some images."""
    background = len(names)
    counts = np.zeros((background + 1, background + 1), np.int64)
    for one in judged:
        labels = one.sample.labels
        counts[:-1, background] += np.bincount(labels[one.missed], minlength=background)
        for found, right, confused in zip(one.found.class_ids, one.right, one.confused, strict=True):
            if right == IGNORED:
                continue
            taken = right if right >= 0 else confused
            counts[labels[taken] if taken >= 0 else background, found] += 1
    return Confusion(names, counts)
