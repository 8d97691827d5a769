"""Images with their labels drawn in, alone or many of them on one sheet."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.common.atomic import write_bytes
from fusedet.deploy.detector.opencv import cv2
from fusedet.deploy.drawing.draw import class_color

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TEXT_SIZE, _CAPTION_PX, _GAP = 0.4, 18, 6
_PAPER, _INK, _CROWD = (255, 255, 255), (40, 40, 40), (150, 150, 150)


def fit(image: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """An image whose longer side is ``side`` at most, and by how much it was scaled."""
    scale = min(1.0, side / max(image.shape[:2]))
    if scale == 1:
        return image.copy(), scale
    size = tuple(max(1, round(length * scale)) for length in image.shape[1::-1])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def draw_labels(
    image: NDArray[np.uint8],
    boxes_xyxy: NDArray[np.float32],
    labels: Sequence[int],
    names: Sequence[str] = (),
    colors: Sequence[tuple[int, int, int]] = (),
    thickness: int = 2,
) -> None:
    """Draws boxes into an image, each in the colour of its class.

    Args:
        image: uint8 BGR ``[H, W, 3]``; is drawn into.
        boxes_xyxy: ``[N, 4]`` in pixels of ``image``.
        labels: class indices; below 0 for regions to ignore, which are grey.
        names: of the classes, to be written at the boxes; none: nothing is written.
        colors: BGR of each box, in the place of its class's.
        thickness: of the lines in pixels.
    """
    shades = [_color(label, i, colors) for i, label in enumerate(labels)]
    corners = [[int(v) for v in np.clip(np.rint(box), -9999, 9999)] for box in boxes_xyxy]
    for (left, top, right, bottom), shade in zip(corners, shades, strict=True):
        cv2.rectangle(image, (left, top), (right - 1, bottom - 1), shade, thickness)
    if not names:
        return
    plates: list[tuple[int, int, int, int]] = []
    largest_first = sorted(range(len(corners)), key=lambda i: -float(np.prod(boxes_xyxy[i][2:] - boxes_xyxy[i][:2])))
    for i in largest_first:  # after all boxes, so that none crosses a text; the colour tells of those without one
        text = names[labels[i]] if labels[i] >= 0 else "ignored"
        plate = _plate(text, corners[i], image.shape[1], image.shape[0])
        if not any(_overlap(plate, other) for other in plates):
            plates.append(plate)
            _write(image, text, plate, shades[i])


def _color(label: int, i: int, colors: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    if colors:
        return colors[i]
    return class_color(label) if label >= 0 else _CROWD


def _plate(text: str, box: list[int], width: int, height: int) -> tuple[int, int, int, int]:
    """Where a text stands: above its box, or inside of it at the top, as ``(x, y, wide, high)``."""
    (wide, high), _ = cv2.getTextSize(text, _FONT, _TEXT_SIZE, 1)
    wide, high = wide + 4, high + 5
    y = box[1] - high if box[1] >= high else max(0, min(box[1], height - high))
    return max(0, min(box[0], width - wide)), y, wide, high


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def _write(image: NDArray[np.uint8], text: str, plate: tuple[int, int, int, int], color: tuple[int, int, int]) -> None:
    x, y, wide, high = plate
    cv2.rectangle(image, (x, y), (x + wide - 1, y + high - 1), color, cv2.FILLED)
    blue, green, red = color
    ink = _INK if 0.114 * blue + 0.587 * green + 0.299 * red > 130 else _PAPER
    cv2.putText(image, text, (x + 2, y + high - 3), _FONT, _TEXT_SIZE, ink, 1, cv2.LINE_AA)


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
