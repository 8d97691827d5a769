import numpy as np
import pytest

from fusedet.train.evaluation.curves import CONFIDENCES
from fusedet.train.evaluation.matching import judge
from fusedet.train.evaluation.metrics import evaluate_detections
from fusedet.train.evaluation.report.analysis import Evaluation, analyse, confusion
from tests.train.samples import NAMES, dataset, detections, random_set, sample

LEFT, RIGHT, FAR = [0, 0, 40, 40], [50, 0, 90, 40], [150, 50, 190, 90]


def test_the_matrix_by_hand() -> None:
    """Two cats found, one missed; a dog taken for a cat; a dog where nothing is; one in a region to ignore."""
    images = [
        judge(sample(1, [LEFT, RIGHT], [0, 1]), detections([LEFT, RIGHT, FAR], [0.9, 0.8, 0.7], [0, 0, 1]), 0.5),
        judge(sample(2, [LEFT, RIGHT], [0, 0]), detections([RIGHT], [0.9], [0]), 0.5),
        judge(sample(3, [FAR], [1], [True]), detections([FAR], [0.9], [1]), 0.5),
    ]
    matrix = confusion(NAMES, images)
    assert matrix.counts.tolist() == [[2, 0, 1], [1, 0, 0], [0, 1, 0]]
    np.testing.assert_allclose(matrix.shares, [[2 / 3, 0, 1 / 3], [1, 0, 0], [0, 1, 0]])
    assert matrix.worst_pairs() == [("dog", "cat", 1)]


def test_nothing_at_all() -> None:
    matrix = confusion(NAMES, [judge(sample(1, [], []), detections([], [], []), 0.5)])
    assert not matrix.counts.any()
    assert not matrix.shares.any()
    assert matrix.worst_pairs() == []


def test_the_diagonal_is_the_recall_and_rows_are_the_objects() -> None:
    truth, found = random_set()
    analysis = analyse(Evaluation(truth, found, evaluate_detections(truth, found)))
    at = int(np.abs(CONFIDENCES - analysis.threshold).argmin())
    diagonal = analysis.confusion.shares.diagonal()[:-1]
    assert diagonal.tolist() == pytest.approx([curves.recall[at] for curves in analysis.by_class])
    assert analysis.confusion.counts[:-1].sum(axis=1).tolist() == list(analysis.objects)


def test_the_recommended_confidence_has_the_best_f1() -> None:
    truth, found = random_set()
    analysis = analyse(Evaluation(truth, found, evaluate_detections(truth, found)))
    at = int(np.abs(CONFIDENCES - analysis.best_threshold).argmin())
    assert analysis.mean.f1[at] == pytest.approx(analysis.mean.f1.max())
    assert 0 < analysis.best_threshold < 1


def test_where_nothing_is_right_there_is_no_recommendation() -> None:
    truth = dataset(sample(1, [LEFT], [0]))
    found = {1: detections([FAR], [0.9], [0])}
    analysis = analyse(Evaluation(truth, found, evaluate_detections(truth, found)))
    assert np.isnan(analysis.best_threshold)
    assert analysis.threshold == 0.25
    assert analysis.confusion.counts.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
