"""Draws zones and lines into an image, with what was counted there."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.camera.events.places import Line, Places, Point, Zone
from fusedet.deploy.detector.opencv import cv2
from fusedet.deploy.drawing.draw import LabelStyle, class_color, stroke_width

_BLACK = (0, 0, 0)
#: What is written of a zone or line: the kinds of counts, in this order, before the number.
_SHOWN = ("inside", "in", "out")

Counts = Mapping[str, Mapping[str, Mapping[str, int]]]


def draw_zones(image_bgr: NDArray[np.uint8], places: Places, counts: Counts | None = None) -> NDArray[np.uint8]:
    """A copy of the image with thin zones and lines, their names, and arrows that say where ``in`` is.

    Args:
        image_bgr: uint8 ``[H, W, 3]``; left as it is.
        places: in fractions of the image.
        counts: of :meth:`fusedet.deploy.camera.events.rules.Rules.counts`; left out, no numbers are written. Of zones
            how many are inside, of lines how many went in and out, all classes together.
    """
    canvas = image_bgr.copy()
    height, width = canvas.shape[:2]
    thickness = max(1, stroke_width(width, height) // 2)
    style = LabelStyle.for_thickness(stroke_width(width, height))
    plates = []
    all_places: list[Zone | Line] = [*places.zones, *places.lines]
    for number, place in enumerate(all_places):
        color = class_color(number)
        if isinstance(place, Zone):
            corners = [_pixel(point, width, height) for point in place.points]
            _outline(canvas, corners, color, thickness, closed=True)
            anchor = min(corners, key=lambda corner: (corner[1], corner[0]))
        else:
            anchor = _draw_line(canvas, place, color, thickness)
        text = _text(place.name, counts)
        if isinstance(place, Line):  # above its start, away from the arrow
            anchor = anchor[0], anchor[1] - style.plate_size(text)[1] - thickness
        plates.append((text, anchor, color))
    for text, anchor, color in plates:  # after all lines, so that none crosses a name
        plate_width, plate_height = style.plate_size(text)
        left = max(0, min(anchor[0], width - plate_width))
        top = max(0, min(anchor[1], height - plate_height))
        style.write(canvas, text, (left, top, left + plate_width, top + plate_height), color)
    return canvas


def _draw_line(canvas: NDArray[np.uint8], line: Line, color: tuple[int, int, int], thickness: int) -> tuple[int, int]:
    """The line and, at its middle, an arrow to its right, which is ``in``; where its name goes."""
    height, width = canvas.shape[:2]
    (ax, ay), (bx, by) = start, end = _pixel(line.start, width, height), _pixel(line.end, width, height)
    length = max(1.0, math.hypot(bx - ax, by - ay))
    reach = 0.04 * (width + height) / 2
    middle = ((ax + bx) // 2, (ay + by) // 2)
    tip = (round(middle[0] - reach * (by - ay) / length), round(middle[1] + reach * (bx - ax) / length))
    _outline(canvas, [start, end], color, thickness, closed=False)
    for line_color, more in ((_BLACK, 2), (color, 0)):
        cv2.arrowedLine(canvas, middle, tip, line_color, thickness + more, cv2.LINE_AA, tipLength=0.4)
    return start


def _outline(
    canvas: NDArray[np.uint8],
    corners: list[tuple[int, int]],
    color: tuple[int, int, int],
    thickness: int,
    *,
    closed: bool,
) -> None:
    """A thin coloured line with a dark rim, which keeps it visible on its own colour."""
    for line_color, more in ((_BLACK, 2), (color, 0)):
        cv2.polylines(canvas, [np.array(corners, np.int32)], closed, line_color, thickness + more, cv2.LINE_AA)


def _pixel(point: Point, width: int, height: int) -> tuple[int, int]:
    """The last pixel for a fraction of 1, so that a line at the border is visible."""
    return min(round(point[0] * width), width - 1), min(round(point[1] * height), height - 1)


def _text(name: str, counts: Counts | None) -> str:
    known = (counts or {}).get(name, {})
    numbers = [(what, sum(known[what].values())) for what in _SHOWN if what in known]
    if [what for what, _ in numbers] == ["inside"]:
        return f"{name}: {numbers[0][1]}"
    return f"{name}: {', '.join(f'{what} {number}' for what, number in numbers)}" if numbers else name
