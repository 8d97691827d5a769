"""Precision and recall of a class, over each other and over the confidence, and the confidence that serves best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusedet.train.evaluation.matching import Ranked

#: Where curves over the confidence are worked out.
CONFIDENCES: NDArray[np.float64] = np.linspace(0, 1, 501)
#: Where COCO reads the precision.
RECALLS: NDArray[np.float64] = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class ConfidenceCurves:
    """Figures of the detections with a score of at least each of :data:`CONFIDENCES`, all in 0..1."""

    precision: NDArray[np.float64]  # part of the detections that are right; NaN where there are none
    recall: NDArray[np.float64]  # part of the objects that are found; NaN where the class has no object
    f1: NDArray[np.float64]  # harmonic mean of both, 2 TP / (objects + detections); NaN where the class has no object


def interpolated_precision(ranked: Ranked) -> NDArray[np.float64]:
    """Best precision ``[101]`` at each of :data:`RECALLS` or any higher recall; its mean is COCO's AP.

    NaN where the class has no object.
    """
    if not ranked.objects:
        return np.full(len(RECALLS), np.nan)
    hits = np.cumsum(ranked.hits)
    precision = hits / np.arange(1, len(hits) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(hits / ranked.objects, RECALLS, side="left")
    return np.append(best_from_here, 0.0)[first]


def confidence_curves(ranked: Ranked) -> ConfidenceCurves:
    """The curves of one class."""
    detections = np.searchsorted(-ranked.scores, -CONFIDENCES, side="right")
    hits = np.append(0, np.cumsum(ranked.hits))[detections].astype(np.float64)
    nothing = np.full(len(CONFIDENCES), np.nan)
    precision = np.divide(hits, detections, out=nothing.copy(), where=detections > 0)
    if not ranked.objects:
        return ConfidenceCurves(precision, nothing, nothing)
    return ConfidenceCurves(precision, hits / ranked.objects, 2 * hits / (ranked.objects + detections))


def mean_curves(curves: Sequence[ConfidenceCurves]) -> ConfidenceCurves:
    """The mean of all classes that have objects; of the precision, of those that have detections there."""
    judged = [curve for curve in curves if not np.isnan(curve.f1).any()]
    return ConfidenceCurves(*(_mean([getattr(c, name) for c in judged]) for name in ("precision", "recall", "f1")))


def _mean(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    table = np.ma.masked_invalid(np.array(values, np.float64).reshape(-1, len(CONFIDENCES)))
    return np.asarray(table.mean(axis=0).filled(np.nan))


def best_confidence(f1: NDArray[np.float64]) -> float:
    """The confidence of the best F1, the middle one where several are as good; NaN where nothing was ever found."""
    if np.isnan(f1).any() or f1.max() <= 0:
        return float("nan")
    best = np.flatnonzero(f1 >= f1.max() - 1e-9)
    end = next((i for i in range(1, len(best)) if best[i] != best[i - 1] + 1), len(best))  # of the first such range
    return float(CONFIDENCES[best[(end - 1) // 2]])
