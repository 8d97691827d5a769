import numpy as np
import pytest
import torch

from fusedet.model.decode import anchor_points
from fusedet.train.data.dataset import PADDING
from fusedet.train.data.transforms import CROWD
from fusedet.train.targets.assign import MIN_CANDIDATE_SIDE, Assignment, GroundTruth, Matching, assign

ALPHA, BETA = 0.5, 6.0
POINTS, STRIDES = anchor_points((64, 64), (8, 16, 32))
#: A box of 16 x 16 pixels around each point.
PREDICTED = torch.cat((POINTS - 8, POINTS + 8), -1)[None]


def run(boxes, labels, topk=10, predicted=None, logits=None, classes=3) -> Assignment:
    boxes = torch.tensor(boxes, dtype=torch.float).reshape(1, -1, 4)
    labels = torch.tensor(labels).reshape(1, -1)
    predicted = PREDICTED if predicted is None else predicted
    logits = torch.zeros(1, classes, len(POINTS)) if logits is None else logits
    return assign(logits, predicted, POINTS, GroundTruth(boxes, labels), Matching(topk, ALPHA, BETA))


def test_no_objects():
    result = run([[0, 0, 0, 0]], [PADDING])
    assert not result.positive.any()
    assert not result.ignored.any()
    assert result.quality.sum() == 0


def test_an_object_between_anchor_points_still_learns():
    """A box of 4 x 4 px around a cell corner holds no anchor point of its own."""
    result = run([[14, 14, 18, 18]], [0], topk=10)
    assert result.positive.any()
    centres = POINTS[result.positive[0]]
    assert (centres - 16).abs().max() <= MIN_CANDIDATE_SIDE / 2


def test_crowd_regions_are_ignored_but_not_where_an_object_is():
    result = run([[0, 0, 32, 32], [0, 0, 16, 16]], [CROWD, 0], topk=2)
    assert result.positive.sum() == 2
    inside = ((POINTS > 0) & (POINTS < 32)).all(1)
    assert torch.equal(result.ignored[0, 0], inside & ~result.positive[0])
    assert not result.ignored[0, 1:].any(), "the other classes are annotated there"


def test_a_crowd_region_ignores_its_own_class_only():
    result = run([[0, 0, 16, 32], [8, 0, 32, 32], [8, 8, 24, 24]], [CROWD - 1, CROWD - 1, 0], topk=2)
    inside = ((POINTS > 0) & (POINTS < 32)).all(1)
    assert torch.equal(result.ignored[0], torch.stack((torch.zeros_like(inside), inside, torch.zeros_like(inside))))
    assert result.positive.sum() == 2, "what lies in the region of another class is learned"


def test_images_of_a_batch_do_not_touch_each_other():
    boxes = torch.tensor([[[0.0, 0, 30, 30]], [[0, 0, 0, 0]]])
    labels = torch.tensor([[0], [PADDING]])
    predicted, logits = PREDICTED.expand(2, -1, -1), torch.zeros(2, 3, len(POINTS))
    result = assign(logits, predicted, POINTS, GroundTruth(boxes, labels), Matching(4, ALPHA, BETA))
    assert result.positive.sum(1).tolist() == [4, 0]


def test_the_one_that_stays_is_one_of_those_that_learn_the_object():
    boxes, labels = torch.tensor([[[0.0, 0, 30, 30]]]), torch.tensor([[0]])
    logits = torch.full((1, 3, len(POINTS)), -4.0)
    many = assign(logits, PREDICTED, POINTS, GroundTruth(boxes, labels), Matching(4, ALPHA, BETA))
    inside = ((POINTS > 0) & (POINTS < 30)).all(1)
    outsider = int((inside & ~many.positive[0]).nonzero()[0])
    logits[0, 0, outsider] = 8.0  # sure of itself, with a box that nobody trains
    alone = assign(logits, PREDICTED, POINTS, GroundTruth(boxes, labels), Matching(1, 1.0, 0.0))
    assert alone.positive[0].nonzero().tolist() == [[outsider]]
    one = assign(logits, PREDICTED, POINTS, GroundTruth(boxes, labels), Matching(1, 1.0, 0.0), among=many)
    assert one.positive.sum() == 1
    assert not (one.positive & ~many.positive).any()


def test_an_object_that_lost_all_its_points_still_finds_one():
    boxes, labels = torch.tensor([[[0.0, 0, 30, 30]]]), torch.tensor([[0]])
    logits = torch.zeros(1, 3, len(POINTS))
    nothing = assign(logits, PREDICTED, POINTS, GroundTruth(boxes, torch.tensor([[PADDING]])), Matching(4, ALPHA, BETA))
    one = assign(logits, PREDICTED, POINTS, GroundTruth(boxes, labels), Matching(1, 1.0, 0.5), among=nothing)
    assert one.positive.sum() == 1


def reference(logits, predicted, boxes, labels, topk):
    """The same assignment written from the paper with loops, in numpy, for one image."""
    points = POINTS.numpy()

    def iou(a, b):
        width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        shared = width * height
        areas = max(0.0, a[2] - a[0]) * max(0.0, a[3] - a[1]) + max(0.0, b[2] - b[0]) * max(0.0, b[3] - b[1])
        return shared / (areas - shared + 1e-7)

    claims: dict[int, list[tuple[float, int, float]]] = {}
    for m, (box, label) in enumerate(zip(boxes, labels, strict=True)):
        ranked = []
        for a, (x, y) in enumerate(points):
            if box[0] < x < box[2] and box[1] < y < box[3]:
                overlap = iou(box, predicted[a])
                score = 1 / (1 + np.exp(-logits[label, a]))
                ranked.append((score**ALPHA * overlap**BETA, overlap, a))
        for alignment, overlap, a in sorted(ranked, reverse=True)[:topk]:
            claims.setdefault(a, []).append((overlap, m, alignment))
    taken = {a: max(wanting) for a, wanting in claims.items()}
    quality, owner = np.zeros(len(points)), np.full(len(points), -1)
    for m in range(len(boxes)):
        mine = {a: claim for a, claim in taken.items() if claim[1] == m}
        if mine:
            best_alignment = max(claim[2] for claim in mine.values())
            best_overlap = max(claim[0] for claim in mine.values())
            for a, claim in mine.items():
                owner[a], quality[a] = m, claim[2] * best_overlap / (best_alignment + 1e-9)
    return owner, quality


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("topk", [1, 10])
def test_agrees_with_an_independent_reference(seed: int, topk: int):
    rng = np.random.default_rng(seed)
    count = 4
    low = rng.uniform(0, 40, (count, 2))
    boxes = np.concatenate((low, low + rng.uniform(13, 24, (count, 2))), 1)
    labels = rng.integers(0, 3, count)
    points = POINTS.numpy()
    predicted = np.concatenate(
        (points - rng.uniform(4, 16, points.shape), points + rng.uniform(4, 16, points.shape)), 1
    )
    logits = rng.normal(size=(3, len(POINTS)))
    owner, quality = reference(logits, predicted, boxes, labels, topk)
    result = run(
        boxes,
        labels,
        topk,
        torch.tensor(predicted, dtype=torch.float)[None],
        torch.tensor(logits, dtype=torch.float)[None],
    )
    assert np.array_equal(result.positive[0].numpy(), owner >= 0)
    assert np.array_equal(result.objects[0].numpy()[owner >= 0], owner[owner >= 0])
    np.testing.assert_allclose(result.quality[0].numpy(), quality, atol=1e-4)
