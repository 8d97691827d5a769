"""YOLOX (Ge et al., 2021), as its own exporter writes it, with or without ``--decode_in_inference``.

One input, the image resized in proportion to the upper left corner of padding (114), BGR in 0..255. One output
``[1, points, 5 + classes]`` over the strides 8, 16 and 32, row by row: the box, then the objectness and the classes,
sigmoid applied; a score is their product. Not decoded, the box is the centre relative to the cell and the logarithm of
the size, both in strides; decoded, centre and size in pixels of the input. Nothing in the file tells which, so that the
network is run once when it is opened: decoded centres lie near their cells.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
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
from fusedet.deploy.detector.letterbox import Letterbox, letterbox
from fusedet.deploy.detector.runtimes.protocol import Session

_STRIDES = (8, 16, 32)
_BOX = 5
_NMS_IOU = 0.65
#: Strides that half the points' centres lie from their cells at most: trained networks give less than 1.
_MOST_OFFSET = 8


class Yolox(PlanesFormat):
    """See the head of this file."""

    title = "YOLOX"
    marks = f"[1, 3, H, W] -> [1, points of strides 8, 16, 32, {_BOX} + classes]"
    takes = "float32 BGR in 0..255, in proportion, in the upper left corner"

    def __init__(self, session: Session, source: str) -> None:
        super().__init__(session, source)
        ((_, _, height, width),), (output,) = inputs_of(session).values(), outputs_of(session).values()
        self.contract = foreign_contract(assumed_names(output[2] - _BOX), (height, width), _NMS_IOU)
        self._corners, self._strides = _cells((height, width))
        self._decoded = self._is_decoded(session, source)

    def __str__(self) -> str:
        return f"{self.title}, {'decoded' if self._decoded else 'not decoded'}"

    @staticmethod
    def recognises(session: Session) -> bool:
        """By the shapes of input and output."""
        size, outputs = only_input_sides(session), list(outputs_of(session).values())
        if size is None or len(outputs) != 1 or len(outputs[0]) != 3:
            return False
        batch, points, columns = outputs[0]
        fits = (batch == 1 or not isinstance(batch, int)) and isinstance(columns, int) and columns > _BOX
        return fits and points == sum((size[0] // stride) * (size[1] // stride) for stride in _STRIDES)

    def prepare(self, image_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Letterbox]:
        """The image in its corner."""
        canvas, place = letterbox(image_bgr, self.contract.input_size, self.contract.pad_value)
        return np.roll(canvas, (-place.top, -place.left), (0, 1)), replace(place, left=0, top=0)

    def read(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """The best points' boxes and their best classes."""
        (rows,) = outputs  # [points, 5 + classes]
        scores, class_ids = best_class(rows[:, _BOX - 1 : _BOX] * rows[:, _BOX:])
        best = strongest(scores)
        centres, sizes = rows[best, :2], rows[best, 2:4]
        if not self._decoded:
            strides = self._strides[best, None]
            centres, sizes = (centres + self._corners[best]) * strides, np.exp(sizes) * strides
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
        return Candidates(boxes.astype(np.float32), scores[best], class_ids[best])

    def _is_decoded(self, session: Session, source: str) -> bool:
        """Whether boxes come in pixels, told from what the network says of an empty image.

        What is of neither kind, as of YOLOv6, whose output looks alike, is refused.
        """
        (rows,) = self.look_at_nothing(session, source)
        scores = rows[:, _BOX - 1 :]
        if (scores < 0).any() or (scores > 1).any() or (scores[:, 0] == 1).all():
            raise InputError(f"{source}: has the shapes of {self.title}, but objectness or scores of another network")
        raw = float(np.median(np.abs(rows[:, :2])))  # in strides, as is the other
        decoded = float(np.median(np.abs(rows[:, :2] / self._strides[:, None] - self._corners)))
        if min(raw, decoded) > _MOST_OFFSET:
            raise InputError(
                f"{source}: has the shapes of {self.title}, but its boxes are neither in strides from their cells nor "
                "in pixels of the input"
            )
        return decoded < raw


def _cells(input_hw: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Upper left corner ``[points, 2]`` of each cell as (x, y) in strides, and its stride ``[points]`` in pixels."""
    grids = [np.indices((input_hw[0] // stride, input_hw[1] // stride)).reshape(2, -1) for stride in _STRIDES]
    corners = np.concatenate([grid[::-1].T for grid in grids]).astype(np.float32)
    strides = np.repeat(np.array(_STRIDES, np.float32), [grid.shape[1] for grid in grids])
    return corners, strides
