"""Zones and lines as JSON, in the form of the YAML of ``fusedet run``."""

import hashlib
import math
import re
from collections.abc import Collection
from typing import Any

from fusedet.common.errors import InputError
from fusedet.common.plain_json import short
from fusedet.deploy.camera.events.places import MARGIN, MIN_FRAMES, Line, Places, Point, Zone
from fusedet.deploy.camera.web.answers import to_json

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_PLACES = 64
_MOST_CORNERS = 64
_LONGEST_DWELL_S = 86400.0
_BORDER = ("min_frames", "margin")


def version(places: Places) -> str:
    """An ETag: another one for other zones and lines, so that two people do not overwrite each other's."""
    return '"' + hashlib.sha256(to_json(places.to_record()).encode()).hexdigest()[:16] + '"'


def places_from_json(value: dict[str, Any], names: Collection[str]) -> Places:
    """The zones and lines that :meth:`Places.to_record` gave, or somebody else made.

    Raises:
        InputError: something in them is not allowed, or ``names`` has no such class.
    """
    _only_keys("the body", value, {"zones", "lines"})
    zones = tuple(_zone(item, names) for item in _list("zones", value.get("zones", []), _MOST_PLACES))
    lines = tuple(_line(item, names) for item in _list("lines", value.get("lines", []), _MOST_PLACES))
    return Places(zones, lines)


def read_number(what: str, value: Any, low: float, high: float) -> float:
    """A number in ``low..high``; anything else is an ``InputError`` about ``what``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{what} must be a number, but got {short(value)}")
    if not (low <= value <= high and math.isfinite(value)):
        raise InputError(f"{what} must be in {low:g}..{high:g}, but got {short(value)}")
    return float(value)


def read_classes(what: str, value: Any, names: Collection[str]) -> list[str] | None:
    """A list of class names, or None for all; anything else, or a class that ``names`` lacks, is an ``InputError``."""
    if value is None:
        return None
    classes = _list(what, value, max(len(names), 1))
    for name in classes:
        if not isinstance(name, str) or name not in names:
            raise InputError(f"{what}: the model has no class {short(name)}")
    return list(dict.fromkeys(classes))


def _zone(value: Any, names: Collection[str]) -> Zone:
    name = _start(value, "zone", {"name", "points", "classes", "dwell_s", *_BORDER})
    corners = _list(f"zone {name}: points", value.get("points"), _MOST_CORNERS)
    points = tuple(_point(f"zone {name}", corner) for corner in corners)
    dwell_s = value.get("dwell_s")
    if dwell_s is not None:
        dwell_s = read_number(f"zone {name}: dwell_s", dwell_s, 0, _LONGEST_DWELL_S)
        if dwell_s == 0:
            raise InputError(f"zone {name}: dwell_s must be more than 0, or null")
    return Zone(name, points, _classes(f"zone {name}", value, names), dwell_s, *_border(f"zone {name}", value))


def _line(value: Any, names: Collection[str]) -> Line:
    name = _start(value, "line", {"name", "start", "end", "classes", *_BORDER})
    start, end = (_point(f"line {name}", value.get(key)) for key in ("start", "end"))
    return Line(name, start, end, _classes(f"line {name}", value, names), *_border(f"line {name}", value))


def _border(what: str, value: dict[str, Any]) -> tuple[int, float]:
    """``min_frames`` and ``margin``, which the page does not show and keeps."""
    frames = read_number(f"{what}: min_frames", value.get("min_frames", MIN_FRAMES), 1, 100)
    if frames != int(frames):
        raise InputError(f"{what}: min_frames must be a whole number, but got {short(frames)}")
    return int(frames), read_number(f"{what}: margin", value.get("margin", MARGIN), 0, 1)


def _classes(what: str, value: dict[str, Any], names: Collection[str]) -> frozenset[str] | None:
    classes = read_classes(f"{what}: classes", value.get("classes"), names)
    if classes is not None and not classes:
        raise InputError(f"{what}: classes must name one or more, or be null for all")
    return None if classes is None else frozenset(classes)


def _start(value: Any, what: str, keys: set[str]) -> str:
    """The name of a zone or line whose keys are right."""
    if not isinstance(value, dict):
        raise InputError(f"a {what} must be an object, but got {short(value)}")
    _only_keys(f"a {what}", value, keys)
    name = value.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"a {what}'s name must be 1 to 64 of A-Z, a-z, 0-9, _ and -, but got {short(name)}")
    return name


def _point(what: str, value: Any) -> Point:
    if not isinstance(value, list) or len(value) != 2:
        raise InputError(f"{what}: a point must be [x, y], but got {short(value)}")
    return read_number(f"{what}: x", value[0], 0, 1), read_number(f"{what}: y", value[1], 0, 1)


def _list(what: str, value: Any, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{what} must be a list, but got {short(value)}")
    if len(value) > most:
        raise InputError(f"{what}: at most {most}, but got {len(value)}")
    return value


def _only_keys(what: str, value: dict[str, Any], keys: set[str]) -> None:
    for key in value:
        if key not in keys:
            raise InputError(f"{what} has no {short(key)}: expected {', '.join(sorted(keys))}")
