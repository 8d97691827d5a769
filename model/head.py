"""The detection head: at each stride a class tower, a box tower and a selector.

Towers learn from several anchor points for each object, which gives the best features and boxes but finds every object
several times: the one-to-many branch, whose boxes need non-maximum suppression. The selector learns which one of them
is to stay, and lowers the scores of the others: the one-to-one branch, whose boxes need none. Both branches share
towers and boxes (positive sample selector: Zhou et al., "Object Detection Made Simpler by Eliminating Heuristic NMS",
2021, section 3). Its class scores start from those of the one-to-many branch and learn a correction: the point that
stays has to tell the class by itself. What the selector prefers by a little, inhibition between neighbours makes a
clear choice: each point is lowered by how far it lies below the best one around it, in evaluation so far that only the
best one stays. The export keeps one branch.
"""

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusedet.model.blocks import DepthwiseSeparable, LayerStyle
from fusedet.model.config import ModelConfig

#: Share of anchor points that see an object before anything is learned (RetinaNet: Lin et al., 2017, section 4.1).
_PRIOR = 0.01
#: Side distances are predicted in units of the stride; a box of 4x4 strides is where learning starts.
_FIRST_DISTANCE = 2.0
#: The selector only has to tell from the predicted box whether a neighbour is nearer to the centre: narrow and small.
_SELECTOR_CHANNELS, _SELECTOR_KERNEL = 16, 3
#: How much a point is lowered for each unit of logit that it lies below the best of its 3 x 3 neighbours. In training
#: gently, so that gradients tell which point is to become the best one.
_TRAINING_INHIBITION = 4.0
#: In evaluation and in exported files the best point alone keeps its score: fewer duplicates and a higher AP, at no
#: cost (``docs/recipe.md``, "Inhibition").
_INHIBITION = 100.0


class BranchOutput(NamedTuple):
    """Raw predictions of one branch at all anchor points, strides 8, 16 and 32 in turn, row by row.

    Attributes:
        logits: ``[B, classes, A]`` before the sigmoid.
        distances: ``[B, 4, A]`` from the anchor point to the left, top, right and bottom side, in strides.
    """

    logits: Tensor
    distances: Tensor


class Predictions(NamedTuple):
    """What the network gives in training. Both branches have the same ``distances``."""

    one_to_many: BranchOutput
    one_to_one: BranchOutput


class DetectionHead(nn.Module):
    """Class, box and selector predictions at each stride (decoupled as in YOLOX: Ge et al., 2021).

    Args:
        in_channels: of each of the neck's maps.
        levels: how many maps.
        config: of the network.
        detach_one_to_one: the one-to-one branch trains its own layers only, not the features that its selector reads.
    """

    def __init__(self, in_channels: int, levels: int, config: ModelConfig, *, detach_one_to_one: bool = False) -> None:
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

        def selector() -> DepthwiseSeparable:
            return DepthwiseSeparable(head.channels, _SELECTOR_CHANNELS, _SELECTOR_KERNEL, style=style)

        self.detach_one_to_one = detach_one_to_one
        self.class_towers = nn.ModuleList(tower() for _ in range(levels))
        self.box_towers = nn.ModuleList(tower() for _ in range(levels))
        self.selectors = nn.ModuleList(selector() for _ in range(levels))
        self.class_predictors = nn.ModuleList(nn.Conv2d(head.channels, config.classes, 1) for _ in range(levels))
        self.class_corrections = nn.ModuleList(nn.Conv2d(head.channels, config.classes, 1) for _ in range(levels))
        self.box_predictors = nn.ModuleList(nn.Conv2d(head.channels, 4, 1) for _ in range(levels))
        self.selector_predictors = nn.ModuleList(nn.Conv2d(_SELECTOR_CHANNELS, 1, 1) for _ in range(levels))

    def init_predictors(self) -> None:
        """Starts from rare objects of a middling size, none of them suppressed, so that the first steps are calm."""
        first_values = (
            (self.class_predictors, -math.log((1 - _PRIOR) / _PRIOR)),
            (self.box_predictors, _FIRST_DISTANCE),
            (self.class_corrections, 0.0),
            (self.selector_predictors, 0.0),
        )
        for predictors, value in first_values:
            for predictor in _convolutions(predictors):
                nn.init.normal_(predictor.weight, 0.0, 0.01)
                assert predictor.bias is not None
                nn.init.constant_(predictor.bias, value)

    def forward(self, maps: list[Tensor]) -> Predictions:
        """Predictions of both branches from the neck's maps."""
        many, one, distances = [], [], []
        for level, x in enumerate(maps):
            boxes = self.box_towers[level](x)
            classes = self.class_towers[level](x)
            logits = self.class_predictors[level](classes)  # [B, classes, H, W]
            distances.append(self.box_predictors[level](boxes).flatten(2))
            many.append(logits.flatten(2))
            if self.detach_one_to_one:
                boxes = boxes.detach()
            # Never into the class tower: there the branches want opposite things of an object's other points.
            corrected = logits.detach() + self.class_corrections[level](classes.detach())
            selected = corrected + self.selector_predictors[level](self.selectors[level](boxes))
            gain = _TRAINING_INHIBITION if self.training else _INHIBITION
            one.append((selected + _inhibition(selected.amax(1, keepdim=True), gain)).flatten(2))
        sides = torch.cat(distances, 2)
        return Predictions(BranchOutput(torch.cat(many, 2), sides), BranchOutput(torch.cat(one, 2), sides))


def _inhibition(best: Tensor, gain: float) -> Tensor:
    """What a map ``[B, 1, H, W]`` of best logits is changed by: 0 at the best point around, less elsewhere."""
    return gain * (best - functional.max_pool2d(best, 3, stride=1, padding=1))


class ExportOutput(NamedTuple):
    """Raw predictions of the exported branch.

    Attributes:
        best: ``[B, A]`` logit of each point's best class, with selector and inhibition where the branch has them.
        logits: ``[B, classes, A]`` without selector and inhibition, which are the same for all classes of a point.
        distances: ``[B, 4, A]`` as in :class:`BranchOutput`.
    """

    best: Tensor
    logits: Tensor
    distances: Tensor


class ExportHead(nn.Module):
    """One branch of a folded head.

    The selector's logit comes out of the same convolution as the side distances: each output of a convolution that
    leaves ONNX Runtime's blocked layout is reordered in memory, so one output less is one reorder less.
    """

    def __init__(self, head: DetectionHead, *, nms: bool) -> None:
        super().__init__()
        self.class_towers, self.box_towers = head.class_towers, head.box_towers
        self.class_predictors, self.box_predictors = head.class_predictors, head.box_predictors
        self.selectors = None if nms else head.selectors
        if not nms:
            self.class_predictors = _pairwise(_sum, head.class_predictors, head.class_corrections)
            self.box_predictors = _pairwise(_side_by_side, head.box_predictors, head.selector_predictors)

    def forward(self, maps: list[Tensor]) -> ExportOutput:
        """Predictions from the neck's maps."""
        best, logits, distances = [], [], []
        for level, x in enumerate(maps):
            boxes = self.box_towers[level](x)
            scores = self.class_predictors[level](self.class_towers[level](x))
            highest = scores.amax(1, keepdim=True)
            if self.selectors is None:
                sides = self.box_predictors[level](boxes)
            else:
                both = self.box_predictors[level](torch.cat((boxes, self.selectors[level](boxes)), 1))
                sides, selector = both[:, :4], both[:, 4:]
                highest = highest + selector
                highest = highest + _inhibition(highest, _INHIBITION)
            best.append(highest.flatten(1))
            logits.append(scores.flatten(2))
            distances.append(sides.flatten(2))
        return ExportOutput(torch.cat(best, 1), torch.cat(logits, 2), torch.cat(distances, 2))


def _convolutions(modules: nn.ModuleList) -> list[nn.Conv2d]:
    return [module for module in modules if isinstance(module, nn.Conv2d)]


def _pairwise(
    make: Callable[[nn.Conv2d, nn.Conv2d], nn.Conv2d], first: nn.ModuleList, second: nn.ModuleList
) -> nn.ModuleList:
    pairs = zip(_convolutions(first), _convolutions(second), strict=True)
    return nn.ModuleList(make(*pair) for pair in pairs)


@torch.no_grad()
def _sum(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """One convolution that gives the sum of two of the same shape."""
    both = copy.deepcopy(first)
    both.weight += second.weight
    assert both.bias is not None
    assert second.bias is not None
    both.bias += second.bias
    return both


@torch.no_grad()
def _side_by_side(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """One 1x1 convolution of two inputs side by side that gives the outputs of two convolutions side by side."""
    inputs, outputs = first.in_channels + second.in_channels, first.out_channels + second.out_channels
    both = nn.Conv2d(inputs, outputs, 1, device=first.weight.device)
    assert both.bias is not None
    assert first.bias is not None
    assert second.bias is not None
    both.weight.zero_()
    both.weight[: first.out_channels, : first.in_channels] = first.weight
    both.weight[first.out_channels :, first.in_channels :] = second.weight
    both.bias[:] = torch.cat((first.bias, second.bias))
    return both
