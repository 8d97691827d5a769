from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fusedet.deploy import Contract, Letterbox, decode_outputs, nms

A = (0, 0, 10, 10)
HALF_OF_A = (0, 0, 10, 5)  # IoU with A is 0.5
NEXT_TO_A = (10, 0, 20, 10)


@pytest.mark.parametrize(
    ("boxes", "scores", "class_ids", "threshold", "kept"),
    [
        ([], [], [], 0.5, []),
        ([A], [0.3], [0], 0.5, [0]),
        ([A, A], [0.3, 0.9], [0, 0], 0.5, [1]),  # the better one stays
        ([A, A], [0.5, 0.5], [0, 0], 0.5, [0]),  # a tie: the first stays
        ([A, A], [0.3, 0.9], [0, 1], 0.5, [1, 0]),  # another class
        ([A, HALF_OF_A], [0.9, 0.8], [0, 0], 0.5, [0, 1]),  # exactly at the threshold
        ([A, HALF_OF_A], [0.9, 0.8], [0, 0], 0.49, [0]),
        ([A, NEXT_TO_A], [0.9, 0.8], [0, 0], 0.0, [0, 1]),  # they only touch
        ([A, (3, 3, 3, 8), (3, 3, 3, 8)], [0.9, 0.8, 0.7], [0, 0, 0], 0.0, [0, 1, 2]),  # without area
        ([A, (9, 9, 2, 2)], [0.9, 0.8], [0, 0], 0.0, [0, 1]),  # inside out
        # The second falls to the first, so that it cannot drop the third: IoU 0.6 in a row, 0.33 across.
        ([(0, 0, 8, 1), (2, 0, 10, 1), (4, 0, 12, 1)], [0.9, 0.8, 0.7], [0, 0, 0], 0.5, [0, 2]),
        ([(0, 0, 8, 1), (2, 0, 10, 1), (4, 0, 12, 1)], [0.8, 0.9, 0.7], [0, 0, 0], 0.5, [1]),
    ],
)
def test_nms_by_hand(
    boxes: list[tuple[float, ...]], scores: list[float], class_ids: list[int], threshold: float, kept: list[int]
) -> None:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    found = nms(array, np.array(scores, np.float32), np.array(class_ids, np.int64), threshold)
    assert found.tolist() == kept


def naive_nms(boxes: NDArray[np.int64], scores: list[int], class_ids: list[int], threshold: float) -> list[int]:
    """The definition, one pair of boxes at a time."""
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        for j in kept:
            (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = boxes[i].tolist(), boxes[j].tolist()
            shared = max(0, min(ax2, bx2) - max(ax1, bx1)) * max(0, min(ay2, by2) - max(ay1, by1))
            union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared
            if class_ids[i] == class_ids[j] and union and shared / union > threshold:
                break
        else:
            kept.append(i)
    return kept


@given(
    st.lists(
        st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(0, 8)] * 2, st.integers(0, 4), st.integers(0, 1)),
        max_size=40,
    ),
    st.sampled_from([0.0, 0.25, 0.5, 0.75]),
)
def test_nms_equals_its_definition(rows: list[tuple[int, ...]], threshold: float) -> None:
    table = np.array(rows, np.int64).reshape(-1, 6)
    boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    found = nms(boxes.astype(np.float32), table[:, 4].astype(np.float32), table[:, 5], threshold)
    assert found.tolist() == naive_nms(boxes, table[:, 4].tolist(), table[:, 5].tolist(), threshold)


@pytest.mark.parametrize("spread", [30, 300])
def test_nms_of_many_boxes_equals_its_definition(spread: int) -> None:
    random = np.random.default_rng(spread)
    corners = random.integers(0, spread, (400, 2))
    boxes = np.concatenate([corners, corners + random.integers(1, 60, (400, 2))], axis=1)
    scores, class_ids = random.integers(0, 200, 400), random.integers(0, 3, 400)
    found = nms(boxes.astype(np.float32), scores.astype(np.float32), class_ids, 0.5)
    assert found.tolist() == naive_nms(boxes, scores.tolist(), class_ids.tolist(), 0.5)


CONTRACT = Contract(names=("cat", "dog"), input_size=(32, 32))
PLACE = Letterbox(scale=0.5, left=0, top=4, width=64, height=48)  # 64 x 48 -> 32 x 24


def decode(
    boxes: list[tuple[float, ...]],
    scores: list[float],
    class_ids: list[int],
    most: int = 300,
    nms: bool = False,
    one_label: bool = False,
    duplicate_iou: float | None = None,
    only: list[int] | None = None,
) -> tuple[list[list[float]], list[float], list[int]]:
    found = decode_outputs(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(class_ids, np.int64),
        PLACE,
        Contract(names=("cat", "dog"), input_size=(32, 32), nms=nms, nms_iou=0.5),
        0.25,
        most,
        one_label,
        duplicate_iou,
        None if only is None else np.array(only, np.int64),
    )
    assert found.boxes_xyxy.dtype == found.scores.dtype == np.float32
    assert found.class_ids.dtype == np.int64
    assert found.names == CONTRACT.names
    return found.boxes_xyxy.tolist(), found.scores.tolist(), found.class_ids.tolist()


SUPPRESSION: list[dict[str, Any]] = [{}, {"nms": True}, {"duplicate_iou": 0.7}]


@pytest.mark.parametrize("options", SUPPRESSION)
def test_no_output_at_all(options: dict[str, Any]) -> None:
    assert decode([], [], [], **options) == ([], [], [])
    assert decode([], [], [], one_label=True, **options) == ([], [], [])


def test_boxes_come_back_in_the_image_best_first() -> None:
    boxes, scores, class_ids = decode([(0, 4, 4, 8), (8, 12, 16, 28)], [0.5, 0.75], [0, 1])
    assert boxes == [[16, 16, 32, 48], [0, 0, 8, 8]]
    assert scores == [0.75, 0.5]
    assert class_ids == [1, 0]


def test_of_the_classes_that_are_asked_for_as_many_are_kept_as_may_be() -> None:
    boxes = [(0, 4, 4, 8), (8, 12, 16, 28), (20, 12, 24, 28)]
    assert decode(boxes, [0.75, 0.5, 0.375], [0, 1, 1], most=2)[1:] == ([0.75, 0.5], [0, 1])
    assert decode(boxes, [0.75, 0.5, 0.375], [0, 1, 1], most=2, only=[1])[1:] == ([0.5, 0.375], [1, 1])
    assert decode(boxes, [0.75, 0.5, 0.375], [0, 1, 1], only=[]) == ([], [], [])
    assert decode(boxes[:1], [0.75], [0], only=[1]) == ([], [], [])


def test_a_class_that_only_comes_second_for_its_box_is_not_reported() -> None:
    twice = [(0, 4, 4, 8)] * 2
    assert decode(twice, [0.75, 0.5], [0, 1], one_label=True, only=[1]) == ([], [], [])


def test_score_threshold_counts_itself() -> None:
    box = (0, 4, 4, 8)
    assert decode([box] * 3, [0.25, 0.249, 0.5], [0, 0, 0])[1] == [0.5, 0.25]


@pytest.mark.parametrize("options", SUPPRESSION)
def test_what_is_not_finite_is_left_out(options: dict[str, Any]) -> None:
    nan, inf = float("nan"), float("inf")
    boxes = [(0, 4, 4, 8), (0, 4, nan, 8), (0, 4, inf, 8), (8, 4, 12, 8), (8, 4, 12, 8)]
    assert decode(boxes, [nan, 0.9, 0.9, 0.5, 0.2], [0, 0, 0, 1, 1], **options) == ([[16, 0, 24, 8]], [0.5], [1])
    assert decode(boxes[1:2], [0.9], [0], **options) == ([], [], [])


def test_boxes_in_the_bars_are_left_out() -> None:
    assert decode([(0, 0, 32, 4), (0, 0, 32, 5)], [0.9, 0.8], [0, 0])[0] == [[0, 0, 64, 2]]


def test_nms_only_where_the_contract_asks_for_it() -> None:
    boxes = [(0, 4, 8, 12), (0, 4, 8, 11)]
    assert len(decode(boxes, [0.9, 0.8], [0, 0], nms=False)[0]) == 2
    assert decode(boxes, [0.8, 0.9], [0, 0], nms=True)[1] == pytest.approx([0.9])


@pytest.mark.parametrize("nms", [False, True])
def test_a_box_with_two_labels_keeps_the_better_one(nms: bool) -> None:
    boxes = [(0, 4, 8, 12), (16, 4, 24, 12), (0, 4, 8, 12)]
    assert decode(boxes, [0.5, 0.625, 0.75], [0, 1, 1], nms=nms)[1:] == ([0.75, 0.625, 0.5], [1, 1, 0])
    assert decode(boxes, [0.5, 0.625, 0.75], [0, 1, 1], nms=nms, one_label=True)[1:] == ([0.75, 0.625], [1, 1])


@pytest.mark.parametrize("options", SUPPRESSION[1:])
def test_the_best_are_kept_of_what_is_left(options: dict[str, Any]) -> None:
    boxes = [(0, 4, 8, 12), (0, 4, 8, 12), (16, 4, 24, 12), (0, 20, 8, 28)]
    scores = decode(boxes, [0.8, 0.9, 0.6, 0.7], [0, 0, 0, 0], most=2, **options)[1]
    assert scores == pytest.approx([0.9, 0.7])


# At IoU 0.7 and others with the box of 16 x 20 px, each of them a strip of it.
WHOLE = (0, 4, 16, 24)
STRIP = {0.75: (0, 4, 16, 19), 0.7: (0, 4, 16, 18), 0.65: (0, 4, 16, 17)}


@pytest.mark.parametrize(
    ("overlap", "class_ids", "duplicate_iou", "count"),
    [
        (0.75, [0, 0], 0.7, 1),
        (0.65, [0, 0], 0.7, 2),
        (0.7, [0, 0], 0.7, 2),  # exactly at the threshold
        (0.7, [0, 0], 0.69, 1),
        (0.75, [0, 1], 0.7, 2),  # another class
        (0.75, [0, 0], None, 2),
        (0.75, [0, 0], 1.0, 2),
        (0.65, [0, 0], 0.0, 1),
    ],
)
@pytest.mark.parametrize("one_label", [False, True])
def test_duplicates_by_hand(
    overlap: float, class_ids: list[int], duplicate_iou: float | None, count: int, one_label: bool
) -> None:
    options: dict[str, Any] = {"one_label": one_label, "duplicate_iou": duplicate_iou}
    found = decode([STRIP[overlap], WHOLE], [0.5, 0.75], class_ids, **options)
    assert found[1] == [0.75, 0.5][:count]
    assert found[0][0] == [0, 0, 32, 40], "the better one stays"
    assert decode([WHOLE, STRIP[overlap]], [0.5, 0.5], class_ids, **options)[0][0] == [0, 0, 32, 40], "or the first"


def test_equal_boxes_of_two_classes_are_no_duplicates() -> None:
    assert decode([WHOLE, WHOLE], [0.5, 0.75], [0, 1], duplicate_iou=0.7)[2] == [1, 0]
    assert decode([WHOLE, WHOLE], [0.5, 0.75], [0, 0], duplicate_iou=0.7)[1] == [0.75]


def test_nms_has_its_own_iou() -> None:
    found = decode([WHOLE, STRIP[0.65]], [0.75, 0.5], [0, 0], nms=True, duplicate_iou=0.9)  # 0.5 in the contract
    assert found[1] == [0.75]


def test_class_without_a_name_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"class_ids must be in 0\.\.1"):
        decode([(0, 4, 4, 8)], [0.5], [2])
