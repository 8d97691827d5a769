"""Overlaps worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusedet.deploy.detector.boxes import box_iou


@pytest.mark.parametrize(
    ("one", "other", "iou"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (2, 2, 4, 4), 0.04),
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0),
        ((10, 10, 0, 0), (0, 0, 10, 10), 0.0),
    ],
    ids=["same", "half", "touching", "inside", "no area", "upside down"],
)
def test_by_hand(one: tuple[float, ...], other: tuple[float, ...], iou: float) -> None:
    assert box_iou([one], [other]) == pytest.approx(iou)
    assert box_iou([other], [one]) == pytest.approx(iou)


def test_of_a_crowd_the_share_of_the_box_inside_counts() -> None:
    others = [(0, 0, 10, 10), (5, 0, 15, 10), (0, 0, 20, 20), (30, 30, 40, 40)]
    crowd = np.array([False, True, True, False])
    np.testing.assert_allclose(box_iou([(0, 0, 10, 10)], others, crowd), [[1, 0.5, 1, 0]])


SIDES = st.integers(0, 500)
BOXES = st.tuples(SIDES, SIDES, SIDES, SIDES).map(
    lambda s: (min(s[0], s[2]), min(s[1], s[3]), max(s[0], s[2]), max(s[1], s[3]))
)


@given(BOXES, BOXES, st.integers(-200, 200), st.integers(1, 7))
def test_iou_knows_no_order_no_place_and_no_size(one, other, shift, zoom) -> None:  # type: ignore[no-untyped-def]
    iou = box_iou(one, other)
    assert 0 <= iou <= 1
    np.testing.assert_array_equal(iou, box_iou(other, one).T)
    moved = [np.array(box) * zoom + shift for box in (one, other)]
    np.testing.assert_allclose(box_iou(*moved), iou, atol=1e-12)
