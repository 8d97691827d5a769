"""What is worked out of an evaluation: what each class reaches at which score threshold, and what went wrong."""

import math
from collections.abc import Mapping
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
from fusedet.train.evaluation.matching import Judged, best_labels, judge, rank
from fusedet.train.evaluation.metrics import Metrics
from fusedet.train.evaluation.operating_point import DEFAULT_THRESHOLD
from fusedet.train.evaluation.report.figures.confusion import Confusion, confusion


@dataclass(frozen=True)
class Evaluation:
    """What the best weights found in the validation images."""

    dataset: CocoDataset
    found: Mapping[int, Detections]  # detections by image id, all hypotheses
    metrics: Metrics  # COCO's figures of them
    seconds: float | None = None  # that the evaluation took for the report; None where the training had done it


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
