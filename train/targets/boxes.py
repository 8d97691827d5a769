"""Overlap of boxes, differentiable. All boxes are xyxy."""

import math

import torch
from torch import Tensor

_EPS = 1e-7


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def box_overlap(predicted: Tensor, target: Tensor, kind: str = "iou") -> Tensor:
    """Overlap of each predicted box with its target.

    Args:
        predicted: ``[..., 4]``.
        target: ``[..., 4]``.
        kind: ``iou``; ``giou`` (Rezatofighi et al., 2019, algorithm 1); ``diou`` or ``ciou`` (Zheng et al., 2020,
            equations 7 and 8 to 11).

    Returns:
        ``[...]``, at most 1. IoU is in 0..1; the others fall below 0 for boxes that lie far apart.
    """
    low, high = torch.maximum(predicted[..., :2], target[..., :2]), torch.minimum(predicted[..., 2:], target[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    union = _area(predicted) + _area(target) - shared + _EPS
    iou = shared / union
    if kind == "iou":
        return iou
    hull_low, hull_high = (
        torch.minimum(predicted[..., :2], target[..., :2]),
        torch.maximum(predicted[..., 2:], target[..., 2:]),
    )
    hull = hull_high - hull_low
    if kind == "giou":
        hull_area = hull.prod(-1) + _EPS
        return iou - (hull_area - union) / hull_area
    centre_gap = (predicted[..., :2] + predicted[..., 2:] - target[..., :2] - target[..., 2:]) / 2
    diou = iou - centre_gap.square().sum(-1) / (hull.square().sum(-1) + _EPS)
    if kind == "diou":
        return diou
    size, target_size = predicted[..., 2:] - predicted[..., :2], target[..., 2:] - target[..., :2]
    angle = torch.atan2(size[..., 0], size[..., 1]) - torch.atan2(target_size[..., 0], target_size[..., 1])
    aspect = 4 / math.pi**2 * angle.square()
    with torch.no_grad():
        weight = aspect / (1 - iou + aspect + _EPS)
    return diou - weight * aspect
