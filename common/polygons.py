"""Checks of polygons and lines that somebody has drawn, in fractions of an image. Standard library only."""

import math
from collections.abc import Sequence
from itertools import combinations

from fusedet.common.errors import InputError

Point = tuple[float, float]

#: A line shorter than this part of the image has no length, and a polygon smaller than its square no area.
_LEAST = 1e-3


def check_polygon(points: Sequence[Point], where: str) -> None:
    """Checks that points, ``(x, y)`` as fractions of an image's width and height, are the corners of a polygon.

    Raises:
        InputError: fewer than three points, one outside of the image, two that are equal, all on a straight line, or
            sides that cross. The message begins with ``where``.
    """
    if len(points) < 3:
        raise InputError(f"{where}: a polygon needs 3 points or more, but got {len(points)}")
    _check_fractions(points, where)
    for (i, a), (j, b) in combinations(enumerate(points, 1), 2):
        if math.dist(a, b) < _LEAST:
            closed = "; it closes by itself, leave the last one out" if (i, j) == (1, len(points)) else ""
            raise InputError(f"{where}: points {i} and {j} are equal: {_show(a)}{closed}")
    sides = list(zip(points, [*points[1:], points[0]], strict=True))
    for (i, one), (j, other) in combinations(enumerate(sides, 1), 2):
        if j - i not in (1, len(points) - 1) and _cross(*one, *other):
            raise InputError(
                f"{where}: the side after point {i} crosses the one after point {j}, as in a bow tie; expected the "
                "corners in the order in which one walks around"
            )
    if abs(sum(_turn((0.0, 0.0), a, b) for a, b in sides)) / 2 < _LEAST**2:
        raise InputError(f"{where}: all points are on a straight line, expected a polygon with an area")


def check_line(start: Point, end: Point, where: str) -> None:
    """Raises InputError where the ends of a line, in fractions of the image, are outside of it or equal."""
    _check_fractions((start, end), where)
    if math.dist(start, end) < _LEAST:
        raise InputError(f"{where}: start and end of a line must differ, but both are {_show(start)}")


def _check_fractions(points: Sequence[Point], where: str) -> None:
    for number, point in enumerate(points, 1):
        if len(point) == 2 and all(0 <= value <= 1 for value in point):
            continue
        pixels = any(value > 1 for value in point)
        hint = "; for pixels, divide x by the image's width and y by its height" if pixels else ""
        raise InputError(
            f"{where}: point {number} must be fractions of the image's width and height in 0..1, but got "
            f"{_show(point)}{hint}"
        )


def _show(point: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:g}' for value in point)}]"


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the line from a to b and that from c to d have a point in common."""
    sides = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(abs(turn) < 1e-12 and _between(*three) for turn, three in zip(sides, ends, strict=True))


def _between(a: Point, b: Point, point: Point) -> bool:
    """Whether a point that is on the line through a and b is between them."""
    return all(min(one, other) <= value <= max(one, other) for one, other, value in zip(a, b, point, strict=True))


def _turn(a: Point, b: Point, c: Point) -> float:
    """Twice the area of a triangle, with the sign of its direction."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
