import torch

from fusedet.model.decode import anchor_points, decode_boxes, select_top


def test_anchor_points_are_cell_centres_row_by_row():
    points, strides = anchor_points((32, 64), (16, 32))
    assert points[:5].tolist() == [[8, 8], [24, 8], [40, 8], [56, 8], [8, 24]]
    assert points[8:].tolist() == [[16, 16], [48, 16]]
    assert strides.tolist() == [16.0] * 8 + [32.0] * 2


def test_distances_are_in_strides():
    boxes = decode_boxes(torch.tensor([[1.0, 2.0, 3.0, 0.5]]), torch.tensor([[40.0, 24.0]]), torch.tensor([16.0]))
    assert boxes.tolist() == [[24.0, -8.0, 88.0, 32.0]]


def test_select_top_agrees_with_sorting_everything():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 84, generator=generator)
    distances = torch.rand(2, 4, 84, generator=generator) * 4
    points, strides = anchor_points((64, 64), (8, 16, 32))
    boxes, scores, ids = select_top(
        logits.amax(1), distances=distances, logits=logits, points=points, strides=strides, count=10
    )
    for b in range(2):
        best, labels = logits[b].max(0)
        order = best.argsort(descending=True)[:10]
        torch.testing.assert_close(scores[b], best[order].sigmoid())
        assert ids[b].tolist() == labels[order].tolist()
        torch.testing.assert_close(boxes[b], decode_boxes(distances[b].T, points, strides)[order])
