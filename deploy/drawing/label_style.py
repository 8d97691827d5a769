"""Writes into images, legible on any background and at any size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.opencv import cv2

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


def stroke_width(width: int, height: int) -> int:
    """Pixels of a box's lines in an image of this size."""
    return max(1, round(0.0035 * (height + width) / 2))


@dataclass(frozen=True)
class LabelStyle:
    """Size of the letters, width of their strokes, and the free margin around them in pixels."""

    size: float
    stroke: int
    margin: int

    @classmethod
    def for_thickness(cls, thickness: int) -> "LabelStyle":
        """Letters that go with lines of ``thickness``."""
        stroke = max(1, thickness // 2)
        return cls(max(0.4, 0.25 * thickness + 0.15), stroke, stroke + 2)

    def plate_size(self, text: str) -> tuple[int, int]:
        """``(width, height)`` of the plate under ``text``."""
        (width, height), baseline = cv2.getTextSize(text, _FONT, self.size, self.stroke)
        return width + 2 * self.margin, height + baseline + self.margin

    def write(
        self, canvas: NDArray[np.uint8], text: str, plate: tuple[int, int, int, int], color: tuple[int, int, int]
    ) -> None:
        """Fills ``plate`` with ``color`` and writes ``text`` on it, black or white, whichever is legible."""
        left, top, right, bottom = plate
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), color, cv2.FILLED)
        blue, green, red = color
        ink = _BLACK if 0.114 * blue + 0.587 * green + 0.299 * red > 130 else _WHITE  # luma of ITU-R BT.601
        (_, text_height), _ = cv2.getTextSize(text, _FONT, self.size, self.stroke)
        foot = (left + self.margin, top + self.margin + text_height)
        cv2.putText(canvas, text, foot, _FONT, self.size, ink, self.stroke, cv2.LINE_AA)
