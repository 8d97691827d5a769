"""Our networks without decoding, for chips whose tools have no TopK: convolutions and what joins them, nothing else.

``images`` is float32 ``[B, 3, H, W]``, RGB in 0..1. At each stride S the file gives

* ``scores_S``, ``[B, classes, H / S, W / S]``: a score in 0..1 for each class;
* ``boxes_S``, ``[B, 4, H / S, W / S]``: distances from the middle of the cell to the left, top, right and bottom side,
  in strides.

Scores and boxes lie in outputs of their own because a chip that computes in 8 bits has one scale for each output:
pixels and probabilities in one would round every score to 0. They are of the one-to-many branch: suppression is the
reader's.
"""

import torch
from torch import Tensor, nn

from fusedet.deploy.detector.formats.fusedet_file import raw_names
from fusedet.model import STRIDES, DetectorNet, InferenceGraph

#: Of the file, in this order.
RAW_NAMES = raw_names(STRIDES)


class RawGraph(nn.Module):
    """A folded copy of a network that gives what its head says at each stride, of ``(height, width)`` in pixels."""

    points: Tensor

    def __init__(self, net: DetectorNet, *, input_size: tuple[int, int] | None = None) -> None:
        super().__init__()
        graph = InferenceGraph(net, nms=True, input_format="float32_nchw_rgb", input_size=input_size)
        self.backbone, self.neck, self.head = graph.backbone, graph.neck, graph.head
        self.register_buffer("points", graph.points, persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """``[B, 3, H, W]``, RGB in 0..1 -> scores and boxes of each stride, see the head of this file."""
        head, outputs = self.head, list[Tensor]()
        for level, x in enumerate(self.neck(self.backbone(images))):
            outputs.append(torch.sigmoid(head.class_predictors[level](head.class_towers[level](x))))
            outputs.append(head.box_predictors[level](head.box_towers[level](x)))
        return tuple(outputs)


def raw_description(classes: int, size_hw: tuple[int, int], pad_value: int) -> str:
    """What somebody who opens the file in a viewer should know."""
    height, width = size_hw
    return (
        f"fusedet object detector of {classes} classes, without decoding. images: float32 [B, 3, {height}, {width}], "
        f"RGB in 0..1, letterboxed with padding {pad_value}. scores_S: for each class in 0..1; boxes_S: distances from "
        "the middle of the cell to left, top, right, bottom, in strides S; needs NMS."
    )
