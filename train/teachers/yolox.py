"""YOLOX (Ge et al., 2021), exported without decoding, as its own exporter does.

One input, the picture resized in proportion to the upper left corner of a grey square (114), BGR in 0..255. One output
``[1, points, 5 + 80]`` over the strides 8, 16 and 32, row by row: the centre relative to the cell and the logarithm of
the size, both in strides, then the objectness and the classes, sigmoid applied; a score is their product.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fusedet.deploy.opencv import cv2
from fusedet.train.teachers.foreign import (
    Candidates,
    ForeignDetector,
    as_planes,
    best_class,
    inputs_of,
    outputs_of,
)

__all__ = ["Yolox"]

_STRIDES = (8, 16, 32)
_COLUMNS = 5 + 80
_GREY = 114


class Yolox(ForeignDetector):
    """See the head of this file."""

    format = "YOLOX"
    nms_iou = 0.65

    @staticmethod
    def recognises(session: ort.InferenceSession) -> bool:
        """By the shapes of input and output."""
        inputs, outputs = list(inputs_of(session).values()), list(outputs_of(session).values())
        if len(inputs) != 1 or len(inputs[0]) != 4 or not all(isinstance(side, int) for side in inputs[0][2:]):
            return False
        return outputs == [[1, len(_cells(inputs[0][2:])[0]), _COLUMNS]]

    def feed(self, image_bgr: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """The picture in its corner."""
        name, size = self._input()
        zoom = _zoom(image_bgr.shape[:2], size)
        height, width = (int(side * zoom) for side in image_bgr.shape[:2])
        canvas = np.full((*size, 3), _GREY, np.uint8)
        canvas[:height, :width] = cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_LINEAR)
        return {name: as_planes(canvas)}

    def read(self, outputs: Sequence[NDArray[Any]], size_hw: tuple[int, int]) -> Candidates:
        """Each point's box and its best class."""
        _, size = self._input()
        rows = outputs[0][0]  # [points, 85]
        corners, strides = _cells(size)
        centres = (rows[:, :2] + corners) * strides[:, None]
        halves = np.exp(rows[:, 2:4]) * strides[:, None] / 2
        scores, class_ids = best_class(rows[:, 4:5] * rows[:, 5:])
        boxes = np.concatenate([centres - halves, centres + halves], 1) / _zoom(size_hw, size)
        return Candidates(boxes.astype(np.float32), scores, class_ids)

    def _input(self) -> tuple[str, tuple[int, int]]:
        ((name, shape),) = inputs_of(self._session).items()
        return name, (shape[2], shape[3])


def _zoom(size_hw: Sequence[int], input_hw: Sequence[int]) -> float:
    return min(input_hw[0] / size_hw[0], input_hw[1] / size_hw[1])


def _cells(input_hw: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Upper left corner ``[points, 2]`` of each cell as (x, y) in strides, and its stride ``[points]`` in pixels."""
    grids = [np.indices((input_hw[0] // stride, input_hw[1] // stride)).reshape(2, -1) for stride in _STRIDES]
    corners = np.concatenate([grid[::-1].T for grid in grids]).astype(np.float32)
    strides = np.repeat(np.array(_STRIDES, np.float32), [grid.shape[1] for grid in grids])
    return corners, strides
