"""YOLOX (Ge et al., 2021), exported without decoding, as its own exporter does.

One input, the image resized in proportion to the upper left corner of a square of padding (114), BGR in 0..255. One
output ``[1, points, 5 + 80]`` over the strides 8, 16 and 32, row by row: the centre relative to the cell and the
logarithm of the size, both in strides, then the objectness and the classes, sigmoid applied; a score is their product.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fusedet.deploy.detector.formats.base import (
    Candidates,
    ModelFormat,
    as_planes,
    best_class,
    fixed_sides,
    foreign_contract,
    inputs_of,
    outputs_of,
    strongest,
)
from fusedet.deploy.detector.formats.coco_names import COCO_NAMES
from fusedet.deploy.detector.letterbox import Letterbox, letterbox

__all__ = ["Yolox"]

_STRIDES = (8, 16, 32)
_COLUMNS = 5 + 80
_NMS_IOU = 0.65


class Yolox(ModelFormat):
    """See the head of this file."""

    title = "YOLOX"
    marks = f"[1, 3, H, W] -> [1, points of strides 8, 16, 32, {_COLUMNS}]"
    takes = "float32 BGR in 0..255, in proportion, in the upper left corner"

    def __init__(self, session: ort.InferenceSession, source: str) -> None:
        super().__init__(session, source)
        (shape,) = inputs_of(session).values()
        size = (shape[2], shape[3])
        self.contract = foreign_contract(COCO_NAMES, size, _NMS_IOU)
        self._corners, self._strides = _cells(size)

    @staticmethod
    def recognises(session: ort.InferenceSession) -> bool:
        """By the shapes of input and output."""
        inputs, outputs = list(inputs_of(session).values()), list(outputs_of(session).values())
        size = fixed_sides(inputs[0]) if len(inputs) == 1 else None
        if size is None:
            return False
        points = sum((size[0] // stride) * (size[1] // stride) for stride in _STRIDES)
        return outputs == [[1, points, _COLUMNS]]

    def prepare(self, image_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Letterbox]:
        """The image in its corner."""
        canvas, place = letterbox(image_bgr, self.contract.input_size, self.contract.pad_value)
        return np.roll(canvas, (-place.top, -place.left), (0, 1)), replace(place, left=0, top=0)

    def feed(self, canvases: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
        """Bytes as they are."""
        return {self._input: as_planes(canvases)}

    def read(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """The best points' boxes and their best classes."""
        (rows,) = outputs  # [points, 85]
        scores, class_ids = best_class(rows[:, 4:5] * rows[:, 5:])
        best = strongest(scores)
        strides = self._strides[best, None]
        centres, halves = (rows[best, :2] + self._corners[best]) * strides, np.exp(rows[best, 2:4]) * strides / 2
        boxes = np.concatenate([centres - halves, centres + halves], axis=1)
        return Candidates(boxes.astype(np.float32), scores[best], class_ids[best])


def _cells(input_hw: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Upper left corner ``[points, 2]`` of each cell as (x, y) in strides, and its stride ``[points]`` in pixels."""
    grids = [np.indices((input_hw[0] // stride, input_hw[1] // stride)).reshape(2, -1) for stride in _STRIDES]
    corners = np.concatenate([grid[::-1].T for grid in grids]).astype(np.float32)
    strides = np.repeat(np.array(_STRIDES, np.float32), [grid.shape[1] for grid in grids])
    return corners, strides
