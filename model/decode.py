"""From raw predictions to boxes: anchor points, side distances, and the best K of a picture."""

import torch
from torch import Tensor

__all__ = ["anchor_points", "decode_boxes", "select_top"]


def anchor_points(size_hw: tuple[int, int], strides: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Centres of all cells of the prediction maps.

    Args:
        size_hw: height and width of the network's input in pixels, multiples of every stride.
        strides: of the maps, in the order of the predictions.

    Returns:
        ``[A, 2]`` x and y in input pixels, and ``[A]`` the stride of each point.
    """
    points, point_strides = [], []
    for stride in strides:
        y, x = torch.meshgrid(torch.arange(size_hw[0] // stride), torch.arange(size_hw[1] // stride), indexing="ij")
        points.append((torch.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride)
        point_strides.append(torch.full((points[-1].shape[0],), float(stride)))
    return torch.cat(points), torch.cat(point_strides)


def decode_boxes(distances: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """Boxes from side distances (FCOS: Tian et al., 2019, equation 1, in units of the stride).

    Args:
        distances: ``[..., 4]`` left, top, right, bottom in strides.
        points: ``[..., 2]`` anchor points in pixels.
        strides: ``[...]`` of the points.

    Returns:
        ``[..., 4]`` xyxy in pixels.
    """
    sides = distances * strides[..., None]
    return torch.cat((points - sides[..., :2], points + sides[..., 2:]), -1)


def select_top(
    best: Tensor, logits: Tensor, distances: Tensor, points: Tensor, strides: Tensor, count: int, labels: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The ``count`` best boxes of each picture, among the ``labels`` best classes of its ``count`` best points.

    Sigmoid, classes and boxes are worked out for what is kept, which makes decoding nearly free beside the network.

    Args:
        best: ``[B, A]`` logit that a point is ranked by, and that its best class is scored by; its other classes lie
            as far below as their logits do.
        logits: ``[B, classes, A]``.
        distances: ``[B, 4, A]`` in strides.
        points: ``[A, 2]`` in pixels.
        strides: ``[A]``.
        count: K, at most A.
        labels: classes that one point may report; where it hesitates between two, both are told.

    Returns:
        boxes ``[B, K, 4]`` xyxy in input pixels, scores ``[B, K]`` in (0, 1) highest first, class ids ``[B, K]``.
    """
    highest, kept = best.topk(count, dim=1)  # [B, K]
    kept_logits = logits.gather(2, kept[:, None].expand(-1, logits.shape[1], -1))  # [B, classes, K]
    label_logits, label_ids = kept_logits.topk(labels, dim=1)  # [B, labels, K]
    if labels > 1:
        label_logits = label_logits + (highest - label_logits[:, 0])[:, None]
        highest, order = label_logits.flatten(1).topk(count, dim=1)  # [B, K] out of labels x K
        label_ids = label_ids.flatten(1).gather(1, order)
        kept = kept.gather(1, order % count)
    kept_distances = distances.gather(2, kept[:, None].expand(-1, 4, -1))  # [B, 4, K]
    boxes = decode_boxes(kept_distances.transpose(1, 2), points[kept], strides[kept])
    return boxes, highest.sigmoid(), label_ids.reshape(kept.shape)
