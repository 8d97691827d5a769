"""The detection head: a class tower and a box tower at each stride, twice over.

The one-to-many branch learns from several anchor points for each object, the one-to-one branch from a single one, so
that its predictions need no non-maximum suppression (YOLOv10: Wang et al., 2024, section 3.1). Both are trained side
by side; the export keeps one.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fusedet.model.blocks import DepthwiseSeparable, LayerStyle
from fusedet.model.config import ModelConfig

__all__ = ["BranchOutput", "HeadBranch"]

#: Share of anchor points that see an object before anything is learned (RetinaNet: Lin et al., 2017, section 4.1).
_PRIOR = 0.01
#: Side distances are predicted in units of the stride; a box of 4x4 strides is where learning starts.
_FIRST_DISTANCE = 2.0


class BranchOutput(NamedTuple):
    """Raw predictions of one branch at all anchor points, strides 8, 16 and 32 in turn, row by row.

    Attributes:
        logits: ``[B, classes, A]`` before the sigmoid.
        distances: ``[B, 4, A]`` from the anchor point to the left, top, right and bottom side, in strides.
    """

    logits: Tensor
    distances: Tensor


class HeadBranch(nn.Module):
    """Class and box predictions at each stride (decoupled as in YOLOX: Ge et al., 2021)."""

    def __init__(self, in_channels: int, levels: int, config: ModelConfig) -> None:
        super().__init__()
        if config.classes is None:
            raise ValueError("config.classes must be set before a head is built, but it is None")
        style = LayerStyle.of(config)
        head = config.head

        def tower() -> nn.Sequential:
            layers = [
                DepthwiseSeparable(head.channels if i else in_channels, head.channels, head.kernel, style=style)
                for i in range(head.depth)
            ]
            return nn.Sequential(*layers)

        self.class_towers = nn.ModuleList(tower() for _ in range(levels))
        self.box_towers = nn.ModuleList(tower() for _ in range(levels))
        self.class_predictors = nn.ModuleList(nn.Conv2d(head.channels, config.classes, 1) for _ in range(levels))
        self.box_predictors = nn.ModuleList(nn.Conv2d(head.channels, 4, 1) for _ in range(levels))

    def init_predictors(self) -> None:
        """Starts from rare objects of a middling size, so that the first steps are calm."""
        first_logit = -math.log((1 - _PRIOR) / _PRIOR)
        for predictors, bias in ((self.class_predictors, first_logit), (self.box_predictors, _FIRST_DISTANCE)):
            for predictor in predictors:
                nn.init.normal_(predictor.get_parameter("weight"), 0.0, 0.01)
                nn.init.constant_(predictor.get_parameter("bias"), bias)

    def forward(self, maps: list[Tensor]) -> BranchOutput:
        """Predictions from the neck's maps."""
        logits, distances = [], []
        for level, x in enumerate(maps):
            logits.append(self.class_predictors[level](self.class_towers[level](x)).flatten(2))
            distances.append(self.box_predictors[level](self.box_towers[level](x)).flatten(2))
        return BranchOutput(torch.cat(logits, 2), torch.cat(distances, 2))
