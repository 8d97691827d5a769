import math

import numpy as np
import pytest

from fusedet.train.evaluation.curves import (
    CONFIDENCES,
    RECALLS,
    best_confidence,
    confidence_curves,
    interpolated_precision,
    mean_curves,
)
from fusedet.train.evaluation.matching import Ranked, rank
from fusedet.train.evaluation.metrics import evaluate_detections
from tests.train.samples import NAMES, dataset, detections, random_set, sample


def ranked(*hits: tuple[float, bool], objects: int) -> Ranked:
    return Ranked(np.array([score for score, _ in hits]), np.array([hit for _, hit in hits], bool), objects)


def at(curve: np.ndarray, confidence: float) -> float:
    return float(curve[np.abs(CONFIDENCES - confidence).argmin()])


#: Four objects; right, wrong, right, wrong.
FOUR = ranked((0.9, True), (0.7, False), (0.5, True), (0.3, False), objects=4)


def test_precision_over_recall_by_hand() -> None:
    """Precision 1 up to recall 1/4, 2/3 up to 2/4, nothing beyond."""
    precision = interpolated_precision(FOUR)
    expected = np.where(RECALLS <= 0.25, 1, np.where(RECALLS <= 0.5, 2 / 3, 0))
    np.testing.assert_allclose(precision, expected)


def test_curves_over_confidence_by_hand() -> None:
    curves = confidence_curves(FOUR)
    for confidence, precision, recall, f1 in [
        (0.2, 2 / 4, 2 / 4, 4 / 8),
        (0.4, 2 / 3, 2 / 4, 4 / 7),
        (0.6, 1 / 2, 1 / 4, 2 / 6),
        (0.8, 1, 1 / 4, 2 / 5),
    ]:
        found = [at(curve, confidence) for curve in (curves.precision, curves.recall, curves.f1)]
        assert found == pytest.approx([precision, recall, f1])
    assert math.isnan(at(curves.precision, 0.95)), "nothing is reported there"
    assert at(curves.recall, 0.95) == at(curves.f1, 0.95) == 0
    assert at(curves.recall, 0.5) == 0.5, "a score of exactly the confidence counts"


def test_the_best_confidence_is_the_middle_of_where_f1_is_best() -> None:
    assert best_confidence(confidence_curves(FOUR).f1) == pytest.approx(0.4, abs=0.005)
    f1 = np.zeros(len(CONFIDENCES))
    f1[[100, 101, 102, 300]] = 0.5
    assert best_confidence(f1) == CONFIDENCES[101], "of the first such range"
    assert math.isnan(best_confidence(np.zeros(len(CONFIDENCES))))


def test_a_class_without_objects_has_no_curves_and_no_part_in_the_mean() -> None:
    nothing = ranked((0.9, False), objects=0)
    curves = confidence_curves(nothing)
    assert np.isnan(curves.f1).all()
    assert np.isnan(curves.recall).all()
    assert np.isnan(interpolated_precision(nothing)).all()
    assert math.isnan(best_confidence(curves.f1))
    mean = mean_curves([curves, confidence_curves(FOUR)])
    np.testing.assert_array_equal(mean.f1, confidence_curves(FOUR).f1)
    assert np.isnan(mean_curves([curves]).f1).all()


def test_objects_that_nobody_found() -> None:
    unseen = ranked(objects=3)
    assert not interpolated_precision(unseen).any()
    assert not confidence_curves(unseen).recall.any()
    assert np.isnan(confidence_curves(unseen).precision).all()


@pytest.mark.parametrize(("seed", "iou"), [(0, 0.5), (1, 0.5), (2, 0.5), (3, 0.75)])
def test_the_area_under_the_curve_is_the_ap_of_cocos_grader(seed: int, iou: float) -> None:
    truth, found = random_set(seed)
    metrics = evaluate_detections(truth, found)
    areas = [interpolated_precision(one).mean() for one in rank(truth, found, iou)]
    assert np.mean(areas) == pytest.approx(metrics.ap50 if iou == 0.5 else metrics.ap75, abs=1e-9)
    if iou == 0.5:
        assert areas == pytest.approx([metrics.per_class[name][1] for name in NAMES], abs=1e-9)
    assert 0.1 < metrics.ap50 < 0.9, "else it would say little"


def test_the_area_agrees_beyond_the_limit_of_detections() -> None:
    boxes = [[i % 20 * 10, i // 20 * 10, i % 20 * 10 + 8, i // 20 * 10 + 8] for i in range(160)]
    truth = dataset(sample(1, boxes, [0] * 160))
    found = {1: detections(boxes, np.linspace(0.9, 0.1, 160), [0] * 160)}
    assert interpolated_precision(rank(truth, found)[0]).mean() == pytest.approx(
        evaluate_detections(truth, found).ap50, abs=1e-9
    )
