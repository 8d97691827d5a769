"""Polygons and lines in pixels: what is inside, how far it is to the border, and what a way passes through.

Fractions become pixels first, because a distance means the same in both directions there only.
"""

import math
from collections.abc import Sequence

import numpy as np

from fusedet.deploy.camera.events.places import Line, Point
from fusedet.deploy.detector.opencv import cv2

#: Width and height of the image in pixels.
Size = tuple[int, int]
#: A corner nearer to the image's border than this fraction was meant to be on it: nobody draws to the very pixel.
_SNAP = 0.01


class Region:
    """A polygon in an image of a certain size; its points are fractions of the image.

    Sides along the image's border are no border of a zone: a box is clipped there, so what stands further out has its
    feet on that side, and nothing can leave through it.
    """

    def __init__(self, points: Sequence[Point], size: Size) -> None:
        corners = [(_snapped(x), _snapped(y)) for x, y in points]
        sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
        self._corners = np.array([_pixels(corner, size) for corner in corners], np.float32)
        self._border = [(_pixels(a, size), _pixels(b, size)) for a, b in sides if not _on_image_border(a, b)]

    def contains(self, point: Point) -> bool:
        """Whether a point, in pixels, is inside or on a side."""
        return cv2.pointPolygonTest(self._corners, point, measureDist=False) >= 0

    def distance(self, point: Point) -> float:
        """Pixels to the border, inside as outside; infinite where the zone is the whole image."""
        return min((_distance(point, a, b) for a, b in self._border), default=math.inf)


class Barrier:
    """A line in an image of a certain size.

    ``reach`` is ``(left, right)``: pixels from the line, which goes on for ever here, to the corner of the image that
    is the farthest on that side.
    """

    def __init__(self, line: Line, size: Size) -> None:
        self._start = _pixels(line.start, size)
        (ax, ay), (bx, by) = self._start, _pixels(line.end, size)
        self._length = math.hypot(bx - ax, by - ay)
        self._along = ((bx - ax) / self._length, (by - ay) / self._length)
        corners = [self.offset((x, y)) for x in (0, size[0]) for y in (0, size[1])]
        self.reach = (max(0.0, -min(corners)), max(0.0, *corners))

    def offset(self, point: Point) -> float:
        """Pixels to the line, which goes on for ever here: above 0 to its right, below 0 to its left.

        Right is that of somebody who walks from start to end in an image whose y runs downwards.
        """
        (x, y), (ux, uy) = self._from_start(point), self._along
        return ux * y - uy * x

    def across(self, box: tuple[float, float]) -> float:
        """Pixels from one side of a box to the other, at a right angle to the line; ``box`` is its width and height."""
        ux, uy = self._along
        return abs(uy) * box[0] + abs(ux) * box[1]

    def passed(self, before: Point, after: Point) -> int:
        """1 where the straight way from ``before`` to ``after`` passes the line from left to right between its ends.

        -1 from right to left, 0 where it does not meet the line or passes beside its ends. A point on the line counts
        as right of it, so that no way passes twice.
        """
        first, last = self.offset(before), self.offset(after)
        if (first >= 0) == (last >= 0):
            return 0
        share = first / (first - last)
        meeting = (before[0] + share * (after[0] - before[0]), before[1] + share * (after[1] - before[1]))
        (x, y), (ux, uy) = self._from_start(meeting), self._along
        if not -1e-6 <= ux * x + uy * y <= self._length + 1e-6:
            return 0
        return 1 if last >= 0 else -1

    def _from_start(self, point: Point) -> Point:
        return point[0] - self._start[0], point[1] - self._start[1]


def _snapped(value: float) -> float:
    if value <= _SNAP:
        return 0.0
    return 1.0 if value >= 1 - _SNAP else value


def _pixels(point: Point, size: Size) -> Point:
    return point[0] * size[0], point[1] * size[1]


def _on_image_border(a: Point, b: Point) -> bool:
    return any(first == last and first in (0.0, 1.0) for first, last in zip(a, b, strict=True))


def _distance(point: Point, a: Point, b: Point) -> float:
    """From a point to the line between two others."""
    (px, py), (dx, dy) = (point[0] - a[0], point[1] - a[1]), (b[0] - a[0], b[1] - a[1])
    square = dx * dx + dy * dy
    share = 0.0 if square == 0 else min(1.0, max(0.0, (px * dx + py * dy) / square))
    return math.hypot(px - share * dx, py - share * dy)
