"""Small copies of images, and annotated thumbnails for pages: a copy, and the boxes that a page draws over it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fusedet.deploy.detector.opencv import cv2
from fusedet.deploy.drawing.draw import place_text

#: Longest side on the page; boxes and letters are measured in its pixels.
_SIDE = 460
_LETTER_WIDTH, _PLATE_HEIGHT = 7.3, 16
#: Boxes that are all named; of more, only those that stand out are, and of those the largest.
_MOST_NAMED = 16


class Box(NamedTuple):
    """A box in pixels of the image; ``color`` is CSS, an empty ``text`` names nothing.

    One that ``stands_out`` lies over the others, with a bolder line.
    """

    box_xyxy: ArrayLike
    text: str
    color: str
    stands_out: bool = False


class Mark(NamedTuple):
    """A rectangle of a thumbnail, in its pixels."""

    x: int
    y: int
    width: int
    height: int
    text: str
    color: str
    stands_out: bool


@dataclass(frozen=True)
class Thumbnail:
    """What the macro ``thumbnail`` of a page shows: a ``data:`` URI, its size there, boxes, and plates of texts.

    Of marks and plates the topmost come last.
    """

    source: str
    width: int
    height: int
    marks: Sequence[Mark]
    plates: Sequence[Mark]


def thumbnail(source: str, size_wh: tuple[int, int], boxes: Sequence[Box]) -> Thumbnail:
    """Places boxes over an image, and their texts where they hide no other.

    Args:
        source: of :func:`small_jpeg`.
        size_wh: of the image that the boxes belong to, in pixels.
        boxes: the topmost last, but that those which stand out lie over all others.
    """
    scale = _SIDE / max(size_wh)
    width, height = (max(1, round(side * scale)) for side in size_wh)
    marks = sorted((_mark(box, scale) for box in boxes), key=lambda mark: mark.stands_out)
    named = [mark for mark in marks if mark.text and (mark.stands_out or len(marks) <= _MOST_NAMED)]
    named = sorted(named, key=lambda mark: -mark.width * mark.height)[:_MOST_NAMED]
    taken: list[tuple[int, int, int, int]] = []
    plates = []
    for mark in sorted(named, key=lambda mark: not mark.stands_out):  # these get the best places
        corners = [mark.x, mark.y, mark.x + mark.width, mark.y + mark.height]
        wide = round(_LETTER_WIDTH * len(mark.text)) + 6
        left, top, right, bottom = place_text(corners, wide, _PLATE_HEIGHT, (height, width), taken)
        taken.append((left, top, right, bottom))
        plates.append(mark._replace(x=left, y=top, width=right - left, height=bottom - top))
    return Thumbnail(source, width, height, marks, plates[::-1])


def _mark(box: Box, scale: float) -> Mark:
    left, top, right, bottom = np.rint(np.asarray(box.box_xyxy, np.float64) * scale).clip(-9999, 9999).astype(int)
    return Mark(int(left), int(top), int(right - left), int(bottom - top), box.text, box.color, box.stands_out)


def small_jpeg(image_bgr: NDArray[np.uint8], side: int = 560, most_bytes: int = 80_000) -> str:
    """A copy of an image as a ``data:`` URI: the longer side ``side`` pixels at most, and ``most_bytes`` if it can."""
    small = shrunk(image_bgr, side / max(image_bgr.shape[:2]))
    for quality in (82, 68, 50, 30):
        data = to_jpeg(small, quality)
        if len(data) <= most_bytes:
            break
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")


def shrunk(image_bgr: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The image at a part of its size; itself where ``scale`` is 1 and more."""
    if scale >= 1:
        return image_bgr
    size = [max(1, round(length * scale)) for length in image_bgr.shape[1::-1]]
    # Averaging is quick for whole factors, slow for others, and needed only where pixels would be left out.
    way = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image_bgr, size, interpolation=way), np.uint8)


def to_jpeg(image_bgr: NDArray[np.uint8], quality: int) -> bytes:
    """The image as JPEG; ``quality`` is 0..100."""
    return cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
