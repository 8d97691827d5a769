"""Where in the image something may happen: zones and lines.

Points are ``(x, y)`` as fractions of the image's width and height, in 0..1, from its upper left corner.
"""

from dataclasses import dataclass
from typing import Any

from fusedet.common.errors import InputError

__all__ = ["Line", "Places", "Point", "Zone"]

Point = tuple[float, float]


@dataclass(frozen=True)
class Zone:
    """A polygon, closed by itself.

    Attributes:
        name: unlike that of every other zone or line of the camera.
        points: three corners or more.
        classes: only objects of these; None: of all.
        dwell_s: an object that stays for so many seconds is told once; None: it is not.

    Raises:
        InputError: fewer than three points, or one outside of the image.
    """

    name: str
    points: tuple[Point, ...]
    classes: frozenset[str] | None = None
    dwell_s: float | None = None

    def __post_init__(self) -> None:
        if len(self.points) < 3:
            raise InputError(f"zone {self.name}: a polygon needs 3 points or more, but got {len(self.points)}")
        _check_points(f"zone {self.name}", self.points)


@dataclass(frozen=True)
class Line:
    """A line from ``start`` to ``end``.

    An object crosses it ``in`` when it comes from the left of somebody who walks from start to end and goes to the
    right (the image's y runs downwards: for a line from left to right, ``in`` is from above to below), else ``out``.

    Attributes:
        name: unlike that of every other zone or line of the camera.
        start: where it begins.
        end: where it ends.
        classes: only objects of these; None: of all.

    Raises:
        InputError: start and end are the same, or outside of the image.
    """

    name: str
    start: Point
    end: Point
    classes: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise InputError(f"line {self.name}: start and end must differ, but both are {self.start}")
        _check_points(f"line {self.name}", (self.start, self.end))


@dataclass(frozen=True)
class Places:
    """All zones and lines of a camera.

    Raises:
        InputError: a name stands twice.
    """

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()

    def __post_init__(self) -> None:
        names = [*(zone.name for zone in self.zones), *(line.name for line in self.lines)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"zones and lines must have names of their own, but {', '.join(twice)} stands twice")

    def to_record(self) -> dict[str, list[dict[str, Any]]]:
        """Plain values for JSON and YAML: ``zones`` and ``lines`` with the attributes of each, classes sorted."""
        return {
            "zones": [
                {
                    "name": zone.name,
                    "points": [_rounded(point) for point in zone.points],
                    "classes": None if zone.classes is None else sorted(zone.classes),
                    "dwell_s": zone.dwell_s,
                }
                for zone in self.zones
            ],
            "lines": [
                {
                    "name": line.name,
                    "start": _rounded(line.start),
                    "end": _rounded(line.end),
                    "classes": None if line.classes is None else sorted(line.classes),
                }
                for line in self.lines
            ],
        }


def _rounded(point: Point) -> list[float]:
    return [round(float(value), 4) for value in point]


def _check_points(what: str, points: tuple[Point, ...]) -> None:
    for point in points:
        if len(point) != 2 or not all(0 <= value <= 1 for value in point):
            raise InputError(f"{what}: points must be fractions (x, y) in 0..1, but got {point}")
