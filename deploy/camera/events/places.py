"""Where in the image something may happen: zones and lines.

Points are ``(x, y)`` as fractions of the image's width and height, in 0..1, from its upper left corner.
"""

from dataclasses import dataclass
from typing import Any

from fusedet.common.errors import InputError
from fusedet.common.polygons import Point, check_line, check_polygon

__all__ = ["MARGIN", "MIN_FRAMES", "Line", "Places", "Point", "Zone"]

#: How surely an object must be beyond a border, where a zone or line says nothing else.
MIN_FRAMES, MARGIN = 3, 0.1


@dataclass(frozen=True)
class Zone:
    """A polygon, closed by itself.

    Attributes:
        name: unlike that of every other zone or line of the camera.
        points: three corners or more.
        classes: only objects of these; None: of all.
        dwell_s: an object that stays for so many seconds is told once; None: it is not.
        min_frames: an object changes between inside and outside when it was there in so many images in a row, or by
            half a box.
        margin: it is outside when it is farther away than this share of its box's longer side.

    Raises:
        InputError: the points are no polygon in the image.
    """

    name: str
    points: tuple[Point, ...]
    classes: frozenset[str] | None = None
    dwell_s: float | None = None
    min_frames: int = MIN_FRAMES
    margin: float = MARGIN

    def __post_init__(self) -> None:
        check_polygon(self.points, f"zone {self.name}: points")


@dataclass(frozen=True)
class Line:
    """A line from ``start`` to ``end``.

    An object crosses it ``in`` when it comes from the left of somebody who walks from start to end and goes to the
    right (the image's y runs downwards: for a line from left to right, ``in`` is from above to below), else ``out``.

    Attributes:
        name: unlike that of every other zone or line of the camera.
        classes: only objects of these; None: of all.
        min_frames: an object has crossed when it was beyond in so many images in a row, or by half a box.
        margin: beyond is what is farther away than this share of its box, measured across the line.

    Raises:
        InputError: start and end are the same, or outside of the image.
    """

    name: str
    start: Point
    end: Point
    classes: frozenset[str] | None = None
    min_frames: int = MIN_FRAMES
    margin: float = MARGIN

    def __post_init__(self) -> None:
        check_line(self.start, self.end, f"line {self.name}: start and end")


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
                    **_own_border(zone),
                }
                for zone in self.zones
            ],
            "lines": [
                {
                    "name": line.name,
                    "start": _rounded(line.start),
                    "end": _rounded(line.end),
                    "classes": None if line.classes is None else sorted(line.classes),
                    **_own_border(line),
                }
                for line in self.lines
            ],
        }


def _rounded(point: Point) -> list[float]:
    return [round(float(value), 4) for value in point]


def _own_border(place: Zone | Line) -> dict[str, float]:
    """``min_frames`` and ``margin`` where they are not the defaults, so that a file stays as short as it was."""
    values = {"min_frames": (place.min_frames, MIN_FRAMES), "margin": (place.margin, MARGIN)}
    return {key: value for key, (value, default) in values.items() if value != default}
