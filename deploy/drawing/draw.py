"""Draws detections into an image, legible on any background and at any size."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.detections import NO_TRACK, Detections
from fusedet.deploy.detector.opencv import cv2, drawable

__all__ = ["class_color", "css_color", "draw_boxes", "draw_detections", "place_text"]

#: Turning the hue by the golden ratio keeps any number of first classes far apart.
_GOLDEN = 0.618034
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


def class_color(class_id: int) -> tuple[int, int, int]:
    """The colour of a class in BGR: the same in every image, and unlike its neighbours'."""
    hue = (0.03 + class_id * _GOLDEN) % 1
    saturation, value = ((0.85, 1.0), (0.6, 1.0), (0.95, 0.8))[class_id % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * blue), round(255 * green), round(255 * red)


def css_color(class_id: int) -> str:
    """The same for a page, as ``#rrggbb``."""
    return "#" + bytes(class_color(class_id)[::-1]).hex()


def draw_detections(image_bgr: NDArray[np.uint8], detections: Detections) -> NDArray[np.uint8]:
    """A copy of the image with boxes, class names, scores, and the numbers of tracks.

    Args:
        image_bgr: uint8 ``[H, W, 3]``; left as it is.
        detections: boxes in pixels of this image. The best lie on top.
    """
    texts = [f"{label} {score:.2f}" for label, score in zip(detections.labels, detections.scores, strict=True)]
    if detections.track_ids is not None:
        numbered = zip(texts, detections.track_ids, strict=True)
        texts = [text if number == NO_TRACK else f"#{number} {text}" for text, number in numbered]
    colors = [class_color(int(class_id)) for class_id in detections.class_ids]
    return draw_boxes(image_bgr, detections.boxes_xyxy, texts, colors)


def draw_boxes(
    image_bgr: NDArray[np.uint8],
    boxes_xyxy: NDArray[np.float32],
    texts: Sequence[str],
    colors: Sequence[tuple[int, int, int]],
    *,
    every_text: bool = True,
) -> NDArray[np.uint8]:
    """A copy of the image with boxes and their texts; the first box lies on top, and its text has the best place.

    Args:
        image_bgr: uint8 ``[H, W, 3]``; left as it is.
        boxes_xyxy: ``[N, 4]`` in pixels of the image.
        texts: of each box.
        colors: BGR of each box.
        every_text: a text without a free place is written over others; else it is left out.
    """
    canvas = image_bgr.copy()
    height, width = canvas.shape[:2]
    thickness = stroke_width(width, height)
    style = LabelStyle.for_thickness(thickness)
    corners = np.rint(boxes_xyxy).astype(int).tolist()
    plates: list[tuple[int, int, int, int]] = []
    for text, box in zip(texts, corners, strict=True):
        plates.append(place_text(box, *style.plate_size(text), canvas.shape[:2], plates))
    last_first = range(len(corners) - 1, -1, -1)
    for i in last_first:
        left, top, right, bottom = corners[i]
        # The last pixel inside the box, so that boxes at the image's border are wholly visible.
        far = (max(left, min(right, width) - 1), max(top, min(bottom, height) - 1))
        cv2.rectangle(canvas, (left, top), far, colors[i], thickness, cv2.LINE_AA)
    for i in last_first:  # after all boxes, so that none crosses a label
        if every_text or not any(_overlap(plates[i], plate) for plate in plates[:i]):
            style.write(canvas, texts[i], plates[i], colors[i])
    return canvas


def place_text(
    box: list[int], width: int, height: int, image_hw: tuple[int, int], taken: list[tuple[int, int, int, int]]
) -> tuple[int, int, int, int]:
    """Where a text stands: above its box, else inside the box's top, else below it, else over other texts.

    Args:
        box: left, top, right, bottom in pixels, as what is returned.
        width: of the text.
        height: of the text.
        image_hw: ``(height, width)`` of the image.
        taken: places of other texts.
    """
    left = max(0, min(box[0], image_hw[1] - width))
    tops = [top for top in (box[1] - height, box[1], box[3]) if 0 <= top <= image_hw[0] - height]
    places = [(left, top, left + width, top + height) for top in tops or [0]]
    return next((place for place in places if not any(_overlap(place, other) for other in taken)), places[0])


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


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
        (width, height), baseline = cv2.getTextSize(drawable(text), _FONT, self.size, self.stroke)
        return width + 2 * self.margin, height + baseline + self.margin

    def write(
        self, canvas: NDArray[np.uint8], text: str, plate: tuple[int, int, int, int], color: tuple[int, int, int]
    ) -> None:
        """Fills ``plate`` with ``color`` and writes ``text`` on it, black or white, whichever is legible."""
        left, top, right, bottom = plate
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), color, cv2.FILLED)
        blue, green, red = color
        ink = _BLACK if 0.114 * blue + 0.587 * green + 0.299 * red > 130 else _WHITE  # luma of ITU-R BT.601
        (_, text_height), _ = cv2.getTextSize(drawable(text), _FONT, self.size, self.stroke)
        foot = (left + self.margin, top + self.margin + text_height)
        cv2.putText(canvas, drawable(text), foot, _FONT, self.size, ink, self.stroke, cv2.LINE_AA)
