"""Many images on one sheet."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.common.atomic import write_bytes
from fusedet.deploy.detector.opencv import cv2

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TEXT_SIZE, _CAPTION_PX, _GAP = 0.4, 18, 6
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


def fit(image: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """An image whose longer side is ``side`` at most, and by how much it was scaled."""
    scale = min(1.0, side / max(image.shape[:2]))
    if scale == 1:
        return image.copy(), scale
    size = tuple(max(1, round(length * scale)) for length in image.shape[1::-1])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def contact_sheet(
    tiles: Sequence[NDArray[np.uint8]], captions: Sequence[str], side: int, columns: int = 0
) -> NDArray[np.uint8]:
    """Images in rows, each in the middle of its square with a caption below.

    Args:
        tiles: uint8 BGR, none longer than ``side``.
        captions: what to write below each.
        side: of the squares in pixels.
        columns: images in a row; 0 makes the sheet nearly as wide as high, or a little wider.
    """
    columns = columns or math.ceil(math.sqrt(len(tiles) * 1.3))
    columns = min(columns, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    step_x, step_y = side + _GAP, side + _CAPTION_PX + _GAP
    sheet = np.full((rows * step_y + _GAP, columns * step_x + _GAP, 3), _PAPER, np.uint8)
    for i, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        x, y = _GAP + i % columns * step_x, _GAP + i // columns * step_y
        height, width = tile.shape[:2]
        left, top = x + (side - width) // 2, y + (side - height) // 2
        sheet[top : top + height, left : left + width] = tile
        cv2.putText(sheet, _short(caption, side), (x, y + side + 13), _FONT, _TEXT_SIZE, _INK, 1, cv2.LINE_AA)
    return sheet


def save_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Writes an image as a whole or not at all, in the format that the name ends in."""
    _, data = cv2.imencode(path.suffix, image, [cv2.IMWRITE_JPEG_QUALITY, 90] if path.suffix != ".png" else [])
    write_bytes(path, data.tobytes())  # not cv2.imwrite, which cannot write every name on every system


def _short(text: str, width: int) -> str:
    """The end of a text that fits into ``width`` pixels; its start says less in a file name."""
    text = text.encode("ascii", "replace").decode()  # OpenCV's fonts have no other letters
    if cv2.getTextSize(text, _FONT, _TEXT_SIZE, 1)[0][0] <= width:
        return text
    while text and cv2.getTextSize(f"...{text}", _FONT, _TEXT_SIZE, 1)[0][0] > width:
        text = text[1:]
    return f"...{text}"
