"""From raw predictions to boxes: anchor points, distances to the sides, and the best K of an image."""

from typing import NamedTuple

import torch
from torch import Tensor

from fusedet.model.head import ExportOutput


class Anchors(NamedTuple):
    """Anchor points of all prediction maps, in the order of the predictions.

    Attributes:
        points: ``[..., 2]`` x and y in pixels of the network's input.
        strides: ``[...]`` stride of each point's map, in pixels.
    """

    points: Tensor
    strides: Tensor

    def to(self, device: torch.device) -> "Anchors":
        """The same on another device."""
        return Anchors(self.points.to(device), self.strides.to(device))

    def at(self, places: Tensor) -> "Anchors":
        """Those with the indices ``places``, in their shape."""
        return Anchors(self.points[places], self.strides[places])


def anchor_points(size_hw: tuple[int, int], strides: tuple[int, ...]) -> Anchors:
    """Centres of all cells of the prediction maps, ``A`` in all.

    Args:
        size_hw: height and width of the network's input in pixels, multiples of every stride.
        strides: of the maps, in the order of the predictions.
    """
    points, point_strides = [], []
    for stride in strides:
        y, x = torch.meshgrid(torch.arange(size_hw[0] // stride), torch.arange(size_hw[1] // stride), indexing="ij")
        points.append((torch.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride)
        point_strides.append(torch.full((points[-1].shape[0],), float(stride)))
    return Anchors(torch.cat(points), torch.cat(point_strides))


def decode_boxes(distances: Tensor, anchors: Anchors) -> Tensor:
    """Boxes from distances to their sides (FCOS: Tian et al., 2019, equation 1, in units of the stride).

    Args:
        distances: ``[..., 4]`` left, top, right, bottom in strides.
        anchors: the points that they are measured from.

    Returns:
        ``[..., 4]`` xyxy in pixels.
    """
    points, pixels = anchors.points, distances * anchors.strides[..., None]
    return torch.cat((points - pixels[..., :2], points + pixels[..., 2:]), -1)


def select_top(
    output: ExportOutput, anchors: Anchors, count: int, classes_per_point: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The ``count`` best boxes of each image, among the best classes of its ``count`` best points.

    Sigmoid, classes and boxes are worked out for what is kept, which makes decoding nearly free beside the network.

    Args:
        output: of the exported branch. A point is ranked by ``best``, which its best class is scored by, too; its other
            classes lie as far below as their logits do.
        anchors: the ``A`` points of the predictions.
        count: K, at most A.
        classes_per_point: that one point may report; where it hesitates between two, both are reported.

    Returns:
        boxes ``[B, K, 4]`` xyxy in input pixels, scores ``[B, K]`` in (0, 1) highest first, class ids ``[B, K]``.
    """
    best, logits, distances = output
    highest, kept = best.topk(count, dim=1)  # [B, K]
    kept_logits = logits.gather(2, kept[:, None].expand(-1, logits.shape[1], -1))  # [B, classes, K]
    class_logits, class_ids = kept_logits.topk(classes_per_point, dim=1)  # [B, classes_per_point, K]
    if classes_per_point > 1:
        class_logits = class_logits + (highest - class_logits[:, 0])[:, None]
        highest, order = class_logits.flatten(1).topk(count, dim=1)  # [B, K] out of classes_per_point x K
        class_ids = class_ids.flatten(1).gather(1, order)
        kept = kept.gather(1, order % count)
    kept_distances = distances.gather(2, kept[:, None].expand(-1, 4, -1))  # [B, 4, K]
    boxes = decode_boxes(kept_distances.transpose(1, 2), anchors.at(kept))
    return boxes, highest.sigmoid(), class_ids.reshape(kept.shape)
