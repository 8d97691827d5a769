"""FastestDet, as its own exporter writes it.

One input, the image stretched to it, BGR in 0..1. One output ``[1, 5 + classes, H / 16, W / 16]``: objectness, the
centre relative to the cell's corner (tanh, in cells), the size (sigmoid, as a part of the image), and the classes,
softmax applied. A score is ``objectness ** 0.6 * class ** 0.4``.
"""

from collections.abc import Sequence
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
)
from fusedet.deploy.detector.formats.coco_names import assumed_names
from fusedet.deploy.detector.opencv import cv2
from fusedet.deploy.detector.runtimes.protocol import Session

_STRIDE, _BOX = 16, 5
_NMS_IOU = 0.45


class FastestDet(PlanesFormat):
    """See the head of this file."""

    title = "FastestDet"
    marks = f"[1, 3, H, W] -> [1, {_BOX} + classes, H / {_STRIDE}, W / {_STRIDE}]"
    takes = "float32 BGR in 0..1, stretched to the input"
    std = (255, 255, 255)
    interpolation = cv2.INTER_LINEAR

    def __init__(self, session: Session, source: str) -> None:
        super().__init__(session, source)
        ((_, _, height, width),), (output,) = inputs_of(session).values(), outputs_of(session).values()
        self.contract = foreign_contract(assumed_names(output[1] - _BOX), (height, width), _NMS_IOU)
        (maps,) = self.look_at_nothing(session, source)
        if not np.allclose(maps[_BOX:].sum(0), 1, atol=0.01) or maps[0].min() < 0 or maps[0].max() > 1:
            raise InputError(f"{source}: has the shapes of {self.title}, but classes or objectness of another network")

    @staticmethod
    def recognises(session: Session) -> bool:
        """By the shapes of input and output."""
        size, outputs = only_input_sides(session), list(outputs_of(session).values())
        if size is None or len(outputs) != 1 or len(outputs[0]) != 4:
            return False
        _, channels, *cells = outputs[0]
        return isinstance(channels, int) and channels > _BOX and cells == [side // _STRIDE for side in size]

    def read(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """The box of each cell and its best class."""
        (maps,) = outputs  # [5 + classes, rows, columns]
        rows, columns = maps.shape[1:]
        values = maps.reshape(len(maps), -1).T  # [cells, 5 + classes]
        best, class_ids = best_class(values[:, _BOX:])
        y, x = np.indices((rows, columns)).reshape(2, -1)
        height, width = self.contract.input_size
        centres = (np.stack([x, y], 1) + np.tanh(values[:, 1:3])) * (width / columns, height / rows)
        halves = 1 / (1 + np.exp(-values[:, 3:5])) * (width, height) / 2
        boxes = np.concatenate([centres - halves, centres + halves], 1).astype(np.float32)
        scores = (values[:, 0] ** 0.6 * best**0.4).astype(np.float32)
        return Candidates(boxes, scores, class_ids)
