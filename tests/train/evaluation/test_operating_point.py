"""Precision, recall, duplicates and count error, worked out by hand."""

import json
import math

import pytest

from fusedet.train.evaluation.matching import best_labels, judge
from fusedet.train.evaluation.operating_point import (
    DEFAULT_THRESHOLD,
    class_thresholds,
    operating_point,
    recommended_threshold,
)
from tests.train.samples import dataset, detections, random_set, sample

BOX, SHIFTED, FAR = [0, 0, 40, 40], [0, 2, 40, 42], [100, 0, 140, 40]  # BOX and SHIFTED: IoU 38 / 42


def one_image(objects, labels, boxes, scores, class_ids, crowd=None, threshold=0.5):
    return operating_point(
        dataset(sample(1, objects, labels, crowd)), {1: detections(boxes, scores, class_ids)}, threshold
    )


@pytest.mark.parametrize(
    ("objects", "boxes", "scores", "class_ids", "figures"),
    [
        ([BOX, SHIFTED], [BOX, SHIFTED], [0.9, 0.8], [0, 0], (2, 2, 0, 0)),
        ([BOX], [BOX, SHIFTED], [0.9, 0.8], [0, 0], (2, 1, 1, 1)),
        ([BOX], [BOX, SHIFTED], [0.9, 0.8], [0, 1], (2, 1, 0, 1)),
        ([BOX], [BOX, SHIFTED], [0.9, 0.4], [0, 0], (1, 1, 0, 0)),
    ],
    ids=["two objects that overlap", "found twice", "of another class", "below the threshold"],
)
def test_what_is_a_duplicate(objects, boxes, scores, class_ids, figures):
    point = one_image(objects, [0] * len(objects), boxes, scores, class_ids)
    assert (point.shown, point.found, point.duplicates, point.miscounted) == figures


def test_shares_of_an_object_that_is_found_twice():
    point = one_image([BOX], [0], [BOX, SHIFTED], [0.9, 0.8], [0, 0])
    assert (point.precision, point.recall, point.duplicate_share, point.count_error) == (0.5, 1, 0.5, 1)


@pytest.mark.parametrize(("bottom", "duplicates"), [(24, 0), (25, 1)])
def test_an_overlap_of_just_the_limit_is_no_duplicate(bottom: int, duplicates: int):
    point = one_image([BOX], [0], [BOX, [0, 0, 40, bottom]], [0.9, 0.8], [0, 0])  # 24 / 40 is 0.6
    assert point.duplicates == duplicates


def test_the_box_that_found_the_object_is_no_duplicate_of_a_better_one_that_missed_it():
    point = one_image([[0, 0, 40, 20]], [0], [[0, 0, 40, 42], [0, 0, 40, 28]], [0.9, 0.8], [0, 0])
    assert (point.found, point.duplicates) == (1, 0)  # 28 / 42 overlaps by 0.67; only the second fits the object


def test_too_many_here_do_not_make_up_for_too_few_there():
    samples = sample(1, [BOX], [0]), sample(2, [BOX, FAR], [0, 0])
    found = {1: detections([BOX, FAR], [0.9, 0.9], [0, 0]), 2: detections([BOX], [0.9], [0])}
    point = operating_point(dataset(*samples), found, 0.5)
    assert (point.shown, point.objects, point.miscounted) == (3, 3, 2)
    assert point.count_error == pytest.approx(2 / 3)


def test_boxes_in_a_region_to_ignore_are_not_counted():
    point = one_image([FAR], [0], [FAR, [105, 0, 135, 40]], [0.9, 0.8], [0, 0], crowd=[True])
    assert (point.shown, point.objects, point.duplicates, point.miscounted) == (0, 0, 0, 0)


def test_nothing_to_divide_by_is_nan_and_null_in_json():
    nothing_found = operating_point(dataset(sample(1, [BOX], [0])), {}, 0.5)
    nothing_there = one_image([], [], [BOX], [0.9], [0])
    assert (nothing_found.recall, nothing_there.precision) == (0, 0)
    assert math.isnan(nothing_found.precision)
    assert math.isnan(nothing_there.count_error)
    assert json.loads(json.dumps(nothing_there.as_dict()))["recall"] is None


def test_the_recommended_threshold_leaves_out_what_is_mostly_wrong():
    data = dataset(sample(1, [BOX], [0]), sample(2, [FAR], [1]))
    found = {1: detections([BOX, FAR], [0.9, 0.2], [0, 0]), 2: detections([FAR, BOX], [0.8, 0.3], [1, 1])}
    assert 0.3 < recommended_threshold(data, found) <= 0.8
    assert recommended_threshold(data, {}) == DEFAULT_THRESHOLD


def test_counts_agree_with_what_the_report_judges():
    data, found = random_set()
    point = operating_point(data, found, 0.4)
    judged = [judge(one, best_labels(found[one.image_id]), 0.4) for one in data.samples if one.image_id in found]
    assert point.found == sum(int((one.right >= 0).sum()) for one in judged)
    assert point.shown == sum(int((one.right != -2).sum()) for one in judged)
    assert 0 < point.duplicates < point.shown


def test_each_class_has_a_threshold_of_its_own():
    data = dataset(sample(1, [BOX, FAR], [0, 1]))
    elsewhere, below = [0, 100, 40, 140], [100, 100, 140, 140]
    found = {1: detections([BOX, elsewhere, FAR, below], [0.9, 0.2, 0.6, 0.4], [0, 0, 1, 1])}
    first, second, *others = class_thresholds(data, found).values()
    assert 0.2 < first <= 0.9
    assert 0.4 < second <= 0.6
    assert all(math.isnan(threshold) for threshold in others)
