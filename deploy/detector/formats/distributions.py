"""PicoDet and NanoDet, in which a box side is a distribution over distances (Li et al., 2020).

Two outputs for each stride, all class maps first: the scores ``[1, points, classes]``, sigmoid applied, and the sides
``[1, points, 32]``: 8 logits a side, whose softmax weighs the distances 0 to 7, in strides. A point lies in the middle
of its cell.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.formats.base import (
    Candidates,
    PlanesFormat,
    best_class,
    foreign_contract,
    inputs_of,
    only_input_sides,
    outputs_of,
    strongest,
)
from fusedet.deploy.detector.formats.coco_names import assumed_names
from fusedet.deploy.detector.opencv import cv2
from fusedet.deploy.detector.runtimes.protocol import Session

_BINS = 8
_NMS_IOU = 0.6
#: ImageNet's, in RGB.
_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class DistributionFormat(PlanesFormat):
    """See the head of this file; ``strides`` are those of the maps."""

    strides: tuple[int, ...]

    def __init__(self, session: Session, source: str) -> None:
        super().__init__(session, source)
        ((_, _, height, width),) = inputs_of(session).values()
        classes = next(iter(outputs_of(session).values()))[2]
        self.contract = foreign_contract(assumed_names(classes), (height, width), _NMS_IOU)

    @classmethod
    def recognises(cls, session: Session) -> bool:
        """By the shapes of input and outputs."""
        size, outputs = only_input_sides(session), list(outputs_of(session).values())
        if size is None or len(outputs) != 2 * len(cls.strides) or len(outputs[0]) != 3:
            return False
        points = [int(np.prod(_cells(size, stride))) for stride in cls.strides]
        classes = outputs[0][2]
        known = isinstance(classes, int) and classes > 0
        return known and outputs == [[1, count, width] for width in (classes, 4 * _BINS) for count in points]

    def read(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """The best points' boxes and their best classes."""
        levels = len(self.strides)
        scores, class_ids = best_class(np.concatenate(outputs[:levels]))
        boxes = np.concatenate([self._boxes(*level) for level in zip(outputs[levels:], self.strides, strict=True)])
        best = strongest(scores)
        return Candidates(boxes[best], scores[best], class_ids[best])

    def _boxes(self, bins: NDArray[Any], stride: int) -> NDArray[np.float32]:
        """Boxes ``[points, 4]`` xyxy of one map: each spans the four distances expected at its point, in pixels."""
        distances = _expected(bins.reshape(-1, 4, _BINS)) * stride  # [points, 4]
        y, x = (np.indices(_cells(self.contract.input_size, stride)).reshape(2, -1) + 0.5) * stride
        points = np.stack([x, y], 1)
        return np.concatenate([points - distances[:, :2], points + distances[:, 2:]], 1).astype(np.float32)


class PicoDet(DistributionFormat):
    """PicoDet (Yu et al., 2021), exported by Paddle2ONNX without its suppression.

    One input, the image stretched to it (bicubic), RGB, normalised as ImageNet's are.
    """

    title = "PicoDet"
    marks = "[1, 3, H, W] -> 4 x [1, points, classes], 4 x [1, points, 32]"
    takes = "float32 RGB, normalised, stretched to the input"
    strides = (8, 16, 32, 64)
    rgb, mean, std = True, _MEAN, _STD
    interpolation = cv2.INTER_CUBIC


class NanoDet(DistributionFormat):
    """NanoDet, the first version (NanoDet-m), as its own exporter writes it.

    One input, the image in proportion and centred in black padding, BGR, normalised as ImageNet's are.
    """

    title = "NanoDet"
    marks = "[1, 3, H, W] -> 3 x [1, points, classes], 3 x [1, points, 32]"
    takes = "float32 BGR, normalised, in proportion, centred in black"
    strides = (8, 16, 32)
    mean, std = _MEAN[::-1], _STD[::-1]

    def __init__(self, session: Session, source: str) -> None:
        super().__init__(session, source)
        self.contract = replace(self.contract, pad_value=0)


def _cells(size_hw: tuple[int, int], stride: int) -> tuple[int, int]:
    """Rows and columns of a map: its last convolutions round up."""
    return -(-size_hw[0] // stride), -(-size_hw[1] // stride)


def _expected(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of 0, 1, 2, ... under the softmax of the last axis."""
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    mean = (weights * np.arange(logits.shape[-1])).sum(-1) / weights.sum(-1)
    return np.asarray(mean, np.float32)
