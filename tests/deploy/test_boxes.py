"""Overlaps worked out by hand."""

import numpy as np
import pytest

from fusedet.deploy.boxes import box_iou


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


def test_all_with_all() -> None:
    assert box_iou(np.zeros((3, 4)), np.zeros((2, 4))).shape == (3, 2)
    assert box_iou(np.zeros((0, 4)), np.zeros((2, 4))).shape == (0, 2)
