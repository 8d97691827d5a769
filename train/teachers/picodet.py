"""PicoDet (Yu et al., 2021), exported by Paddle2ONNX without its suppression.

One input, the picture stretched to a square (bicubic), RGB, normalised as ImageNet's are. Eight outputs: for each of
the strides 8, 16, 32 and 64 the class scores ``[1, points, 80]``, sigmoid applied, then for each the sides
``[1, points, 32]``: 8 logits a side, whose softmax weighs the distances 0 to 7, in strides (generalised focal loss: Li
et al., 2020). A point lies in the middle of its cell.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from fusedet.deploy.opencv import cv2
from fusedet.train.teachers.foreign import (
    Candidates,
    DenseMap,
    ForeignDetector,
    as_planes,
    best_class,
    inputs_of,
    outputs_of,
    stretch,
)

__all__ = ["PicoDet"]

_STRIDES = (8, 16, 32, 64)
_CLASSES, _BINS = 80, 8
_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # RGB


class PicoDet(ForeignDetector):
    """See the head of this file."""

    format = "PicoDet"
    nms_iou = 0.6

    @staticmethod
    def recognises(session: ort.InferenceSession) -> bool:
        """By the shapes of input and outputs."""
        inputs, outputs = list(inputs_of(session).values()), list(outputs_of(session).values())
        if len(inputs) != 1 or len(inputs[0]) != 4 or not isinstance(inputs[0][2], int) or inputs[0][2] != inputs[0][3]:
            return False
        points = [_cells(inputs[0][2], stride) ** 2 for stride in _STRIDES]
        return outputs == [[1, count, width] for width in (_CLASSES, 4 * _BINS) for count in points]

    def feed(self, image_bgr: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """The stretched and normalised picture."""
        name, side = self._input()
        canvas = stretch(image_bgr, (side, side), cv2.INTER_CUBIC)[..., ::-1]
        return {name: as_planes(canvas, _MEAN, _STD)}

    def read(self, outputs: Sequence[NDArray[Any]], size_hw: tuple[int, int]) -> Candidates:
        """Each point's best class, and the box that its four expected distances span."""
        boxes = np.concatenate([corners for _, corners in self._maps(outputs)])
        scores, class_ids = best_class(np.concatenate([scores for scores, _ in self._maps(outputs)]))
        zoom = np.tile([size_hw[1], size_hw[0]], 2)
        return Candidates((boxes * zoom).astype(np.float32), scores, class_ids)

    def dense(self, images_bgr: NDArray[np.uint8]) -> list[DenseMap]:
        """What it sees at each point of each map, the finest first, in pictures ``[B, H, W, 3]``."""
        _, side = self._input()
        found = [self._maps(self._session.run(None, self.feed(image))) for image in images_bgr]
        maps = []
        for stride, level in zip(_STRIDES, zip(*found, strict=True), strict=True):
            grid = (_cells(side, stride),) * 2
            scores, boxes = (torch.from_numpy(np.stack(arrays)) for arrays in zip(*level, strict=True))
            maps.append(DenseMap(*(x.float().transpose(1, 2).unflatten(2, grid) for x in (scores, boxes))))
        return maps

    def _maps(self, outputs: Sequence[NDArray[Any]]) -> list[tuple[NDArray[np.float32], NDArray[np.float64]]]:
        """For each stride: scores ``[points, 80]``, and boxes ``[points, 4]`` in parts of the picture."""
        _, side = self._input()
        boxes = []
        for stride, bins in zip(_STRIDES, outputs[len(_STRIDES) :], strict=True):
            distances = _expected(bins[0].reshape(-1, 4, _BINS)) * stride  # [points, 4]
            y, x = (np.indices((_cells(side, stride),) * 2).reshape(2, -1) + 0.5) * stride
            points = np.stack([x, y], 1)
            boxes.append(np.concatenate([points - distances[:, :2], points + distances[:, 2:]], 1) / side)
        return list(zip((scores[0] for scores in outputs[: len(_STRIDES)]), boxes, strict=True))

    def _input(self) -> tuple[str, int]:
        ((name, shape),) = inputs_of(self._session).items()
        return name, shape[2]


def _cells(side: int, stride: int) -> int:
    """Cells along a side: its last convolutions round up."""
    return -(-side // stride)


def _expected(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of 0, 1, 2, ... under the softmax of the last axis."""
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    mean = (weights * np.arange(logits.shape[-1])).sum(-1) / weights.sum(-1)
    return np.asarray(mean, np.float32)
