import sys

import numpy as np
import pytest
import torch

from benchmarks.peers.ultralytics_models import stand_in_for_torchvision, torch_nms


def greedy(boxes: torch.Tensor, scores: torch.Tensor, limit: float) -> list[int]:
    """NMS as its definition says."""
    kept: list[int] = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        overlaps = (overlap(boxes[i], boxes[j]) for j in kept)
        if all(value <= limit for value in overlaps):
            kept.append(i)
    return kept


def overlap(a: torch.Tensor, b: torch.Tensor) -> float:
    sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0)
    shared = float(sides.prod())
    return shared / (float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - shared)


@pytest.mark.parametrize("limit", [0.1, 0.5, 0.7])
def test_nms_is_the_greedy_one(limit: float) -> None:
    rng = np.random.default_rng(0)
    corners = rng.random((200, 2)) * 60
    # Ultralytics moves the boxes of each class away from the others'.
    offset = rng.integers(0, 3, (200, 1)) * 7680
    boxes = torch.from_numpy(np.hstack([corners, corners + rng.random((200, 2)) * 30 + 1]) + offset).float()
    scores = torch.from_numpy(rng.random(200)).float()
    assert torch_nms(boxes, scores, limit).tolist() == greedy(boxes, scores, limit)


def test_the_stand_in_is_what_an_import_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)  # restored afterwards
    monkeypatch.setitem(sys.modules, "torchvision.ops", None)
    stand_in_for_torchvision()
    import torchvision
    from torchvision.ops import nms

    assert nms is torchvision.ops.nms is torch_nms
