"""What PicoDet and NanoDet have in common: a box side is a distribution over distances (Li et al., 2020).

Two outputs for each stride, all class maps first: the scores ``[1, points, classes]``, sigmoid applied, and the sides
``[1, points, 32]``: 8 logits a side, whose softmax weighs the distances 0 to 7, in strides. A point lies in the middle
of its cell.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.formats.base import (
    Candidates,
    ModelFormat,
    best_class,
    fixed_sides,
    foreign_contract,
    inputs_of,
    outputs_of,
    strongest,
)
from fusedet.deploy.detector.formats.coco_names import assumed_names
from fusedet.deploy.detector.runtimes.protocol import Session

_BINS = 8


class DistributionFormat(ModelFormat):
    """See the head of this file.

    Attributes:
        strides: of the maps.
        nms_iou: of the suppression that the format's own project applies.
    """

    strides: tuple[int, ...]
    nms_iou = 0.6

    def __init__(self, session: Session, source: str) -> None:
        super().__init__(session, source)
        (shape,) = inputs_of(session).values()
        classes = next(iter(outputs_of(session).values()))[2]
        self.contract = foreign_contract(assumed_names(classes), (shape[2], shape[3]), self.nms_iou)

    @classmethod
    def recognises(cls, session: Session) -> bool:
        """By the shapes of input and outputs."""
        inputs, outputs = list(inputs_of(session).values()), list(outputs_of(session).values())
        size = fixed_sides(inputs[0]) if len(inputs) == 1 else None
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


def _cells(size_hw: tuple[int, int], stride: int) -> tuple[int, int]:
    """Rows and columns of a map: its last convolutions round up."""
    return -(-size_hw[0] // stride), -(-size_hw[1] // stride)


def _expected(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of 0, 1, 2, ... under the softmax of the last axis."""
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    mean = (weights * np.arange(logits.shape[-1])).sum(-1) / weights.sum(-1)
    return np.asarray(mean, np.float32)
