"""Everything that is worked out of one evaluation: what each class reaches at which confidence, and what went wrong."""

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

__all__ = ["Analysis", "Evaluation", "analyse"]


@dataclass(frozen=True)
class Evaluation:
    """What the best weights found in the validation images.

    Attributes:
        dataset: the annotations.
        found: detections by image id, all hypotheses.
        metrics: what COCO's grader says of them.
        seconds: that finding and grading took for the report; None where the training had done it.
    """

    dataset: CocoDataset
    found: Mapping[int, Detections]
    metrics: Metrics
    seconds: float | None = None


@dataclass(frozen=True)
class Analysis:
    """An evaluation, looked at closely, all at IoU 0.5.

    Attributes:
        names: of the C classes.
        objects: ``[C]`` of each class.
        precision: ``[C, 101]``: see :func:`fusedet.train.evaluation.curves.interpolated_precision`.
        by_class: over the confidence, of each class.
        mean: of all classes that have objects.
        confidence: that gives the best mean F1, recommended as threshold; NaN where nothing right was found.
        judged: each picture at that confidence.
        confusion: at that confidence.
    """

    names: tuple[str, ...]
    objects: tuple[int, ...]
    precision: NDArray[np.float64]
    by_class: tuple[ConfidenceCurves, ...]
    mean: ConfidenceCurves
    confidence: float
    judged: tuple[Judged, ...]
    confusion: Confusion

    @property
    def threshold(self) -> float:
        """The confidence at which pictures are shown and classes compared."""
        return DEFAULT_THRESHOLD if math.isnan(self.confidence) else self.confidence


def analyse(evaluation: Evaluation) -> Analysis:
    """Works it out. AP needs all hypotheses; over the confidence a box has one class, as the runtime reports it."""
    dataset, found = evaluation.dataset, evaluation.found
    ranked = rank(dataset, found)
    shown = {image_id: best_labels(detections) for image_id, detections in found.items()}
    by_class = tuple(confidence_curves(one) for one in rank(dataset, shown))
    mean = mean_curves(by_class)
    confidence = best_confidence(mean.f1)
    threshold = DEFAULT_THRESHOLD if math.isnan(confidence) else confidence
    nothing = Detections.empty(dataset.names)
    judged = tuple(judge(sample, shown.get(sample.image_id, nothing), threshold) for sample in dataset.samples)
    return Analysis(
        names=dataset.names,
        objects=tuple(one.objects for one in ranked),
        precision=np.stack([interpolated_precision(one) for one in ranked]),
        by_class=by_class,
        mean=mean,
        confidence=confidence,
        judged=judged,
        confusion=confusion(dataset.names, judged),
    )
