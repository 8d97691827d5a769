import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusedet.model.decode import Anchors, anchor_points, decode_boxes, select_top
from fusedet.model.head import ExportOutput


def test_anchor_points_are_cell_centres_row_by_row():
    points, strides = anchor_points((32, 64), (16, 32))
    assert points[:5].tolist() == [[8, 8], [24, 8], [40, 8], [56, 8], [8, 24]]
    assert points[8:].tolist() == [[16, 16], [48, 16]]
    assert strides.tolist() == [16.0] * 8 + [32.0] * 2


def test_distances_are_in_strides():
    boxes = decode_boxes(
        torch.tensor([[1.0, 2.0, 3.0, 0.5]]), Anchors(torch.tensor([[40.0, 24.0]]), torch.tensor([16.0]))
    )
    assert boxes.tolist() == [[24.0, -8.0, 88.0, 32.0]]


def selected(best, logits, distances, count, labels):
    anchors = anchor_points((64, 64), (8, 16, 32))
    found = select_top(ExportOutput(best, logits, distances), anchors, count, labels)
    return found, decode_boxes(distances.transpose(1, 2), anchors)


@pytest.mark.parametrize("classes", [1, 2, 5])
def test_select_top_agrees_with_sorting_everything(classes):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, classes, 84, generator=generator)
    distances = torch.rand(2, 4, 84, generator=generator) * 4
    (boxes, scores, ids), all_boxes = selected(logits.amax(1), logits, distances, 10, min(2, classes))
    for b in range(2):
        # Of each point the best two classes: a third one is never among the ten best scores with this seed.
        order = logits[b].flatten().argsort(descending=True)[:10]
        torch.testing.assert_close(scores[b], logits[b].flatten()[order].sigmoid())
        assert ids[b].tolist() == (order // 84).tolist()
        torch.testing.assert_close(boxes[b], all_boxes[b, order % 84])


def test_other_classes_of_a_lowered_point_are_lowered_with_it():
    logits = torch.full((1, 3, 84), -9.0)
    logits[0, :, 7] = torch.tensor([1.0, -1.0, 3.0])
    best = logits.amax(1)
    best[0, 7] -= 2  # inhibition
    (_, scores, ids), _ = selected(best, logits, torch.ones(1, 4, 84), 3, 2)
    torch.testing.assert_close(scores[0, :2], torch.tensor([1.0, -1.0]).sigmoid())
    assert ids[0, :2].tolist() == [2, 0]
    assert scores[0, 2] < 0.001, "the third class is not reported"


@given(
    st.lists(st.tuples(*[st.floats(0, 64, width=32)] * 4), min_size=1, max_size=8),
    st.sampled_from([(64, 96), (32, 32), (96, 64)]),
    st.randoms(use_true_random=False),
)
def test_distances_of_a_box_give_the_box(sides, size_hw, random) -> None:  # type: ignore[no-untyped-def]
    """Encoding is the sides' distances from a point, in strides; decoding takes it back, also where it is outside."""
    points, strides = anchor_points(size_hw, (8, 16, 32))
    chosen = torch.tensor([random.randrange(len(points)) for _ in sides])
    boxes = torch.tensor(sides)
    low, high = boxes[:, :2] - points[chosen], boxes[:, 2:] + points[chosen]
    encoded = torch.cat((points[chosen] - low, high - points[chosen]), -1) / strides[chosen, None]
    decoded = decode_boxes(encoded, Anchors(points, strides).at(chosen))
    torch.testing.assert_close(decoded, torch.cat((low, high), -1), atol=1e-4, rtol=1e-6)
