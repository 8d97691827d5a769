import math

import pytest
import torch

from fusedet.model.decode import anchor_points
from fusedet.model.head import BranchOutput
from fusedet.train.config import LossConfig
from fusedet.train.data.dataset import PADDING
from fusedet.train.data.transforms import CROWD
from fusedet.train.targets.assign import GroundTruth, Matching
from fusedet.train.targets.losses import branch_loss

ANCHORS = anchor_points((32, 32), (8, 16, 32))
POINTS, STRIDES = ANCHORS
CONFIG = LossConfig(box=1.0, cls=1.0, l1=1.0, iou="giou")


def loss(logits, distances, boxes, labels, config=CONFIG, topk=1, weights=None):
    output = BranchOutput(logits, distances)
    boxes, labels = torch.tensor(boxes, dtype=torch.float).reshape(1, -1, 4), torch.tensor(labels).reshape(1, -1)
    weights = None if weights is None else torch.tensor([weights])
    return branch_loss(output, ANCHORS, GroundTruth(boxes, labels, weights), config, Matching(topk, 0.5, 6.0))


def value(tensor):
    return float(tensor.detach())


def nothing_yet(classes=2):
    logits = torch.zeros(1, classes, len(POINTS), requires_grad=True)
    distances = torch.ones(1, 4, len(POINTS), requires_grad=True)
    return logits, distances


def test_an_image_without_objects_teaches_only_the_classes():
    logits, distances = nothing_yet()
    result = loss(logits, distances, [[0, 0, 0, 0]], [PADDING])
    assert value(result.cls) == pytest.approx(2 * len(POINTS) * math.log(2), rel=1e-5)
    assert value(result.box) == value(result.l1) == 0
    result.total.backward()
    assert (logits.grad > 0).all(), "every score must be pushed down"
    assert (distances.grad == 0).all()


def test_a_perfect_box_costs_nothing():
    logits, distances = nothing_yet()
    with torch.no_grad():
        logits[0, 1, 20] = 30.0  # the single point of stride 32, at (16, 16)
        distances[0, :, 20] = torch.tensor([0.25, 0.25, 0.25, 0.25])  # 8 px to each side
    result = loss(logits, distances, [[8, 8, 24, 24]], [1])
    assert value(result.box) == pytest.approx(0, abs=1e-4)
    assert value(result.l1) == pytest.approx(0, abs=1e-4)


def shifted_box():
    """A box of 12..28 instead of 8..24, an IoU of 0.6, and certain that there is nothing elsewhere."""
    logits, distances = nothing_yet()
    with torch.no_grad():
        logits[:] = -30.0
        logits[0, 0, 20] = 30.0
        distances[0, :, :20] = 0
        distances[0, :, 20] = torch.tensor([0.125, 0.25, 0.375, 0.25])
    return logits, distances


def test_losses_by_hand():
    """One object, one positive: a box shifted by 4 of 16 px scores its IoU."""
    result = loss(*shifted_box(), [[8, 8, 24, 24]], [0])
    iou = 12 * 16 / (2 * 256 - 12 * 16)
    giou = iou - (20 * 16 - 320) / 320
    assert value(result.box) == pytest.approx((1 - giou) * iou, rel=1e-3)
    assert value(result.l1) == pytest.approx((4 + 0 + 4 + 0) / 4 / 16 * iou, rel=1e-3)
    # Cross-entropy of a score of 1 against a quality of IoU: 30 * (1 - IoU).
    assert value(result.cls) == pytest.approx(30 * (1 - iou), rel=1e-3)


def test_crowd_regions_teach_nothing():
    logits, distances = nothing_yet()
    result = loss(logits, distances, [[0, 0, 32, 32]], [CROWD - 1])
    result.total.backward()
    assert (logits.grad[:, 1] == 0).all()
    assert (logits.grad[:, 0] > 0).all(), "the region says nothing of other classes"


@pytest.mark.parametrize("iou", ["iou", "giou", "diou", "ciou"])
def test_following_the_gradient_finds_the_box(iou: str):
    torch.manual_seed(0)
    logits, distances = nothing_yet()
    config = LossConfig(iou=iou)
    optimizer = torch.optim.Adam([logits, distances], lr=0.05)
    target = [[5, 7, 29, 30]]
    for _ in range(200):
        optimizer.zero_grad()
        loss(logits, distances, target, [1], config, topk=4).total.backward()
        optimizer.step()
    best = int(logits[0].amax(0).argmax())
    assert int(logits[0, :, best].argmax()) == 1
    sides = distances[0, :, best].detach() * STRIDES[best]
    box = torch.cat((POINTS[best] - sides[:2], POINTS[best] + sides[2:]))
    torch.testing.assert_close(box, torch.tensor(target[0], dtype=torch.float), atol=1.0, rtol=0)


def test_label_smoothing_lowers_the_target():
    logits, distances = nothing_yet()
    with torch.no_grad():
        logits[0, 0, 20] = 10.0
        distances[0, :, 20] = 0.25
    sharp = loss(logits, distances, [[8, 8, 24, 24]], [0])
    smooth = loss(logits, distances, [[8, 8, 24, 24]], [0], CONFIG.model_copy(update={"label_smoothing": 0.2}))
    assert value(smooth.cls) > value(sharp.cls)


def test_an_unsure_label_asks_for_a_lower_score_and_pulls_less():
    """All terms are sums over the sum of qualities, at least 1: at a weight of 1/2 the box pulls half as much."""
    object_ = ([[8, 8, 24, 24]], [0])
    sure, half = (loss(*shifted_box(), *object_, weights=[weight]) for weight in (1.0, 0.5))
    plain = loss(*shifted_box(), *object_)
    assert [value(part) for part in sure[:3]] == [value(part) for part in plain[:3]]
    assert value(half.box) == pytest.approx(value(sure.box) / 2, rel=1e-5)
    assert value(half.l1) == pytest.approx(value(sure.l1) / 2, rel=1e-5)
    iou = 12 * 16 / (2 * 256 - 12 * 16)
    assert value(half.cls) == pytest.approx(30 * (1 - iou / 2), rel=1e-3)


def test_weights_are_those_of_the_own_object():
    """Two objects at two points: only the unsure one's point learns less."""
    logits, distances = nothing_yet()
    boxes, labels = [[0, 0, 8, 8], [24, 24, 32, 32]], [0, 1]
    result = loss(logits, distances, boxes, labels, weights=[0.0, 1.0])
    result.total.backward()
    first, last = 0, 15  # points of stride 8 in the middle of each object
    assert (distances.grad[0, :, first] == 0).all()
    assert (distances.grad[0, :, last] != 0).any()
    assert logits.grad[0, 0, first] == logits.grad[0, 1, first] > 0, "an object of no weight is background"
    assert logits.grad[0, 1, last] < logits.grad[0, 0, last], "the other one raises the score of its class"
