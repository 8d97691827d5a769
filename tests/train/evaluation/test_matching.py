import numpy as np
import pytest

from fusedet.train.evaluation.matching import IGNORED, NONE, best_labels, judge, match, rank
from tests.train.samples import dataset, detections, sample

LEFT, RIGHT, FAR = [0, 0, 40, 40], [50, 0, 90, 40], [150, 50, 190, 90]


def test_the_best_detection_chooses_first_and_a_second_one_is_a_false_alarm() -> None:
    found = detections([LEFT, [1, 0, 40, 40], FAR], [0.6, 0.9, 0.5], [0, 0, 0])
    assert match(sample(1, [LEFT, RIGHT], [0, 0]), found).tolist() == [0, NONE, NONE]


def test_a_detection_takes_the_object_it_overlaps_most_of_those_left() -> None:
    objects = sample(1, [[0, 0, 40, 40], [0, 4, 40, 44]], [0, 0])
    found = detections([[0, 3, 40, 43], [0, 3, 40, 43]], [0.9, 0.8], [0, 0])
    assert match(objects, found).tolist() == [1, 0]


def test_the_class_must_be_the_same_and_the_overlap_half() -> None:
    objects = sample(1, [LEFT], [0])
    assert match(objects, detections([LEFT], [0.9], [1])).tolist() == [NONE]
    assert match(objects, detections([[0, 0, 40, 20]], [0.9], [0])).tolist() == [0], "an IoU of exactly 0.5"
    assert match(objects, detections([[0, 0, 40, 19]], [0.9], [0])).tolist() == [NONE]


def test_what_lies_in_a_crowd_counts_neither_way() -> None:
    objects = sample(1, [LEFT, [100, 0, 200, 100]], [0, 0], [False, True])
    found = detections([LEFT, FAR, [160, 60, 180, 80]], [0.9, 0.8, 0.7], [0, 0, 0])
    assert match(objects, found).tolist() == [0, IGNORED, IGNORED]
    (cats, dogs) = rank(dataset(objects), {1: found})
    assert (cats.hits.tolist(), cats.objects) == ([True], 1)
    assert (len(dogs.scores), dogs.objects) == (0, 0)


def test_a_box_keeps_its_best_class() -> None:
    found = best_labels(detections([LEFT, LEFT, RIGHT], [0.4, 0.9, 0.6], [0, 1, 0]))
    assert found.labels == ["dog", "cat"]
    assert found.scores.tolist() == pytest.approx([0.9, 0.6])


def test_every_detection_and_object_has_its_fate() -> None:
    objects = sample(1, [LEFT, RIGHT, FAR], [0, 1, 0])
    found = detections([LEFT, RIGHT, [100, 0, 140, 40], FAR], [0.9, 0.8, 0.7, 0.1], [0, 0, 1, 0])
    judged = judge(objects, found, threshold=0.5)
    assert len(judged.found) == 3, "the last is below the threshold"
    assert judged.right.tolist() == [0, NONE, NONE]
    assert judged.confused.tolist() == [NONE, 1, NONE], "a dog is taken for a cat"
    assert judged.false_alarms.tolist() == [False, False, True]
    assert judged.missed.tolist() == [False, False, True]
    assert judged.errors == 3


def test_the_right_class_goes_first() -> None:
    """A worse detection of the right class is not robbed of its object by a better one of another."""
    judged = judge(sample(1, [LEFT], [0]), detections([[0, 0, 40, 39], LEFT], [0.9, 0.5], [1, 0]), 0.1)
    assert judged.right.tolist() == [NONE, 0]
    assert judged.false_alarms.tolist() == [True, False]


def test_empty_images() -> None:
    nothing = detections([], [], [])
    assert judge(sample(1, [], []), nothing, 0.5).errors == 0
    assert judge(sample(1, [LEFT], [0]), nothing, 0.5).errors == 1
    assert judge(sample(1, [], []), detections([LEFT], [0.9], [0]), 0.5).errors == 1
    assert judge(sample(1, [LEFT], [0], [True]), nothing, 0.5).errors == 0, "a region to ignore cannot be missed"


def test_the_limit_of_detections_holds_for_each_class() -> None:
    boxes = [[i, 0, i + 5, 5] for i in range(130)]
    found = detections([*boxes, LEFT], [*np.linspace(0.9, 0.5, 130), 0.1], [0] * 130 + [1])
    cats, dogs = rank(dataset(sample(1, [LEFT], [1])), {1: found})
    assert len(cats.scores) == 100
    assert dogs.hits.tolist() == [True]
