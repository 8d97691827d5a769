"""PicoDet (Yu et al., 2021), exported by Paddle2ONNX without its suppression.

One input, the image stretched to a square (bicubic), RGB, normalised as ImageNet's are. Eight outputs: for each of
the strides 8, 16, 32 and 64 the class scores ``[1, points, 80]``, sigmoid applied, then for each the sides
``[1, points, 32]``: 8 logits a side, whose softmax weighs the distances 0 to 7, in strides (generalised focal loss: Li
et al., 2020). A point lies in the middle of its cell.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fusedet.deploy.detector.formats.base import (
    Candidates,
    ModelFormat,
    Stretch,
    as_planes,
    best_class,
    fixed_sides,
    foreign_contract,
    inputs_of,
    outputs_of,
    stretch,
    strongest,
)
from fusedet.deploy.detector.formats.coco_names import COCO_NAMES
from fusedet.deploy.detector.opencv import cv2

__all__ = ["PicoDet"]

_STRIDES = (8, 16, 32, 64)
_CLASSES, _BINS = 80, 8
_NMS_IOU = 0.6
_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # RGB


class PicoDet(ModelFormat):
    """See the head of this file."""

    title = "PicoDet"
    marks = f"[1, 3, S, S] -> 4 x [1, points, {_CLASSES}], 4 x [1, points, {4 * _BINS}]"
    takes = "float32 RGB, normalised, stretched to the input"

    def __init__(self, session: ort.InferenceSession, source: str) -> None:
        super().__init__(session, source)
        (shape,) = inputs_of(session).values()
        self._side: int = shape[2]
        self.contract = foreign_contract(COCO_NAMES, (self._side, self._side), _NMS_IOU)

    @staticmethod
    def recognises(session: ort.InferenceSession) -> bool:
        """By the shapes of input and outputs."""
        inputs, outputs = list(inputs_of(session).values()), list(outputs_of(session).values())
        size = fixed_sides(inputs[0]) if len(inputs) == 1 else None
        if size is None or size[0] != size[1]:
            return False
        points = [_cells(size[0], stride) ** 2 for stride in _STRIDES]
        return outputs == [[1, count, width] for width in (_CLASSES, 4 * _BINS) for count in points]

    def prepare(self, image_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Stretch]:
        """The stretched image."""
        return stretch(image_bgr, self.contract.input_size, cv2.INTER_CUBIC)

    def feed(self, canvases: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
        """Normalised."""
        return {self._input: as_planes([canvas[..., ::-1] for canvas in canvases], _MEAN, _STD)}  # BGR -> RGB

    def read(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """The best points' boxes and their best classes."""
        scores, class_ids = best_class(np.concatenate(outputs[: len(_STRIDES)]))
        boxes = np.concatenate([self._boxes(*level) for level in zip(outputs[len(_STRIDES) :], _STRIDES, strict=True)])
        best = strongest(scores)
        return Candidates(boxes[best], scores[best], class_ids[best])

    def _boxes(self, bins: NDArray[Any], stride: int) -> NDArray[np.float32]:
        """Boxes ``[points, 4]`` xyxy of one map: each spans the four distances expected at its point, in pixels."""
        distances = _expected(bins.reshape(-1, 4, _BINS)) * stride  # [points, 4]
        cells = _cells(self._side, stride)
        y, x = (np.indices((cells, cells)).reshape(2, -1) + 0.5) * stride
        points = np.stack([x, y], 1)
        return np.concatenate([points - distances[:, :2], points + distances[:, 2:]], 1).astype(np.float32)


def _cells(side: int, stride: int) -> int:
    """Cells along a side: its last convolutions round up."""
    return -(-side // stride)


def _expected(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of 0, 1, 2, ... under the softmax of the last axis."""
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    mean = (weights * np.arange(logits.shape[-1])).sum(-1) / weights.sum(-1)
    return np.asarray(mean, np.float32)
