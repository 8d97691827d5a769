import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusedet.deploy.detector.boxes import box_iou
from fusedet.train.targets.boxes import box_overlap

#: predicted, target, IoU, GIoU, DIoU
CASES = [
    ("the same", (0, 0, 10, 10), (0, 0, 10, 10), 1.0, 1.0, 1.0),
    ("half of it", (0, 0, 10, 10), (0, 0, 5, 10), 0.5, 0.5, 0.5 - 2.5**2 / 200),
    ("touching", (0, 0, 10, 10), (10, 0, 20, 10), 0.0, 0.0, -(10**2) / 500),
    ("far apart", (0, 0, 10, 10), (30, 0, 40, 10), 0.0, -0.5, -(30**2) / 1700),
    ("shifted by half", (0, 0, 10, 10), (5, 5, 15, 15), 25 / 175, 25 / 175 - 50 / 225, 25 / 175 - 50 / 450),
    ("inverted prediction", (10, 10, 0, 0), (0, 0, 10, 10), 0.0, 0.0, 0.0),
]


@pytest.mark.parametrize(("name", "predicted", "target", "iou", "giou", "diou"), CASES, ids=[case[0] for case in CASES])
def test_by_hand(name, predicted, target, iou, giou, diou):
    a, b = torch.tensor(predicted, dtype=torch.float), torch.tensor(target, dtype=torch.float)
    assert float(box_overlap(a, b, "iou")) == pytest.approx(iou, abs=1e-5)
    if name != "inverted prediction":
        assert float(box_overlap(a, b, "giou")) == pytest.approx(giou, abs=1e-5)
        assert float(box_overlap(a, b, "diou")) == pytest.approx(diou, abs=1e-5)


def test_ciou_adds_the_aspect():
    """IoU 0.5, centres 2.5 apart over a hull of 10 x 10; angles of the sides 45 degrees and atan(1/2)."""
    a, b = torch.tensor([0.0, 0, 10, 10]), torch.tensor([0.0, 0, 5, 10])
    v = 4 / math.pi**2 * (math.pi / 4 - math.atan(0.5)) ** 2
    expected = 0.5 - 6.25 / 200 - v * v / (1 - 0.5 + v)
    assert float(box_overlap(a, b, "ciou")) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["iou", "giou", "diou", "ciou"])
def test_gradients_are_finite_where_boxes_are_degenerate(kind: str):
    predicted = torch.tensor([[5.0, 5, 5, 5], [0, 0, 0, 10], [9, 9, 1, 1]], requires_grad=True)
    box_overlap(predicted, torch.tensor([[0.0, 0, 10, 10]]).expand(3, 4), kind).sum().backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()


SIDES = st.floats(0, 1000, width=32)
BOXES = st.tuples(SIDES, SIDES, SIDES, SIDES).map(
    lambda s: (min(s[0], s[2]), min(s[1], s[3]), max(s[0], s[2]), max(s[1], s[3]))
)


@given(BOXES, BOXES, st.sampled_from(["iou", "giou", "diou", "ciou"]))
def test_overlap_is_symmetric_and_bounded(one: tuple[float, ...], other: tuple[float, ...], kind: str) -> None:
    a, b = torch.tensor(one, dtype=torch.float64), torch.tensor(other, dtype=torch.float64)
    value = box_overlap(a, b, kind)
    assert value.isfinite()
    assert value == pytest.approx(float(box_overlap(b, a, kind)), abs=1e-9)
    lowest = {"iou": 0.0, "giou": -1.0, "diou": -1.0, "ciou": -2.0}[kind]  # CIoU's aspect costs at most 1
    assert lowest - 1e-6 <= value <= 1 + 1e-6
    assert value <= box_overlap(a, b, "iou") + 1e-9


@given(st.lists(BOXES, max_size=5), st.lists(BOXES, max_size=5))
def test_training_and_the_board_mean_the_same_by_iou(one: list[Any], other: list[Any]) -> None:
    a, b = (torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4) for boxes in (one, other))
    large = ((a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (b[:, 2:] - b[:, :2]).prod(-1)) > 1  # beyond the 1e-7 in it
    np.testing.assert_allclose(
        (box_overlap(a[:, None], b[None]) * large).numpy(), box_iou(a, b) * large.numpy(), atol=1e-6
    )
