"""A drawn street: who is where at what time, what happens at its line and zones, and what a weak detector says of it.

Everything is a box in an image of 640x360. People walk on the pavement below, some stop on the way, a few of them on
the line; cars drive on the road above, some park for minutes in bays beside it. What a detector sees of that trembles,
is missed for a while, changes its class, scores low, is told twice, and is not there at all at times.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from fusedet.deploy.camera.events.places import Line, Places, Zone
from fusedet.deploy.detector.detections import Detections

SIZE_HW = (360, 640)
NAMES = ("person", "car", "truck", "bicycle")
_LINE_X = 320
#: Rectangles, xyxy in pixels.
_ZONES = {"parking": (60, 60, 580, 120), "stop": (400, 250, 520, 345)}
_PARKED_FEET = (100, 112)
_ROAD_FEET = (150, 185)
_PAVEMENT_FEET = (260, 335)
#: What a class is taken for.
_TAKEN_FOR = {0: 3, 1: 2, 2: 1, 3: 0}

Box = tuple[float, float, float, float]


def _share(x: float, y: float) -> tuple[float, float]:
    return x / SIZE_HW[1], y / SIZE_HW[0]


def _zone(name: str) -> Zone:
    left, top, right, bottom = _ZONES[name]
    return Zone(name, (_share(left, top), _share(right, top), _share(right, bottom), _share(left, bottom)))


#: To the right is ``in``.
PLACES = Places(tuple(_zone(name) for name in _ZONES), (Line("line", _share(_LINE_X, 360), _share(_LINE_X, 130)),))


@dataclass(frozen=True)
class Thing:
    """An object on its way, there between the first and the last of its ``times`` in seconds.

    ``feet`` is where the middle of its lower side is at these times, in pixels; it moves straight on in between.
    """

    class_id: int
    size: tuple[float, float]
    times: tuple[float, ...]
    feet: tuple[tuple[float, float], ...]

    def feet_at(self, time_s: float) -> tuple[float, float] | None:
        """Where it is; None where it is not there."""
        if not self.times[0] <= time_s <= self.times[-1]:
            return None
        x, y = (float(np.interp(time_s, self.times, values)) for values in zip(*self.feet, strict=True))
        return x, y

    def box_at(self, time_s: float) -> Box | None:
        """Its box xyxy within the image; None where nothing of it is to be seen."""
        feet = self.feet_at(time_s)
        if feet is None:
            return None
        (x, y), (width, height) = feet, self.size
        left, right = max(x - width / 2, 0.0), min(x + width / 2, float(SIZE_HW[1]))
        return (left, y - height, right, y) if right - left > 6 else None


@dataclass(frozen=True)
class Happening:
    """What happened: when, in seconds, and what, such as ``line in`` or ``parking enter``."""

    time_s: float
    what: str


@dataclass(frozen=True)
class Flaws:
    """What a detector does wrong.

    Attributes:
        jitter: standard deviation of each side of a box, as a share of the box's width or height.
        missed: share of the frames in which an object is missed, by itself.
        away_every_s: so often an object is missed for longer: for ``away_s`` seconds, from the one to the other.
        parked_away_s: the same of an object that stands for longer than ten seconds.
        other_class: share of the time in which an object is taken for another class.
        twice: share of the frames in which it is told a second time, as that class.
        weak: share of the time in which it scores below the score threshold.
        ghosts: share of the frames with a box where nothing is.
    """

    jitter: float = 0.04
    missed: float = 0.1
    away_every_s: float = 20.0
    away_s: tuple[float, float] = (0.3, 1.8)
    parked_away_s: tuple[float, float] = (1.5, 30.0)
    other_class: float = 0.12
    twice: float = 0.03
    weak: float = 0.15
    ghosts: float = 0.03


def street(minutes: float, seed: int) -> list[Thing]:
    """Everything that passes by in that time, a new thing every three seconds or so."""
    draw = np.random.default_rng(seed)
    end_s, time_s, things = 60 * minutes, 1.0, []
    bays = {100.0: 0.0, 240.0: 0.0, 400.0: 0.0, 540.0: 0.0}  # its middle -> when it is free
    while time_s < end_s - 20:
        kind = draw.choice(["walk", "pause", "tremble", "drive", "park"], p=[0.35, 0.15, 0.1, 0.25, 0.15])
        free = [bay for bay, until in bays.items() if until < time_s]
        if kind == "park" and free:
            thing = _parking(draw, time_s, free[int(draw.integers(len(free)))])
            bays[thing.feet[2][0]] = thing.times[-1] + 5
        elif kind in ("drive", "park"):
            thing = _driving(draw, time_s)
        else:
            thing = _walking(draw, time_s, str(kind))
        things.append(thing)
        time_s += float(draw.exponential(3.0))
    return things


def _walking(draw: Generator, start_s: float, kind: str) -> Thing:
    """A person or a bicycle; who pauses stands somewhere, who trembles just before the line or the zone.

    Half of those turn back then.
    """
    cyclist = kind == "walk" and draw.random() < 0.2
    y, height = float(draw.uniform(*_PAVEMENT_FEET)), float(draw.uniform(70, 110))
    size = (0.9 * height, height) if cyclist else (0.38 * height, height)
    speed = float(draw.uniform(90, 160) if cyclist else draw.uniform(28, 60))
    ends = (-size[0] / 2, SIZE_HW[1] + size[0] / 2)
    first, last = ends if draw.random() < 0.5 else ends[::-1]
    xs, stays = [first], [0.0]
    if kind != "walk":
        border = _LINE_X if draw.random() < 0.6 else _ZONES["stop"][0 if first < last else 2]
        before = border - float(np.copysign(draw.uniform(1, 6), last - first))
        xs.append(before if kind == "tremble" else float(draw.choice([draw.uniform(80, 260), draw.uniform(420, 500)])))
        stays.append(float(draw.uniform(8, 40)))
        last = first if draw.random() < 0.5 else last
    return _on_the_way(3 if cyclist else 0, size, start_s, [(x, y) for x in (*xs, last)], [*stays, 0.0], speed)


def _driving(draw: Generator, start_s: float) -> Thing:
    size = (float(draw.uniform(90, 150)), float(draw.uniform(45, 70)))
    right = draw.random() < 0.5
    y = _ROAD_FEET[1 if right else 0] + float(draw.uniform(-4, 4))
    ends = (-size[0] / 2, SIZE_HW[1] + size[0] / 2)
    first, last = ends if right else ends[::-1]
    return _on_the_way(
        1 if draw.random() < 0.8 else 2,
        size,
        start_s,
        [(first, y), (last, y)],
        [0.0, 0.0],
        float(draw.uniform(90, 220)),
    )


def _parking(draw: Generator, start_s: float, bay: float) -> Thing:
    """A car comes along the upper lane, parks in a bay, and drives on in the same direction."""
    size, y = (float(draw.uniform(85, 105)), float(draw.uniform(42, 50))), float(draw.uniform(*_PARKED_FEET))
    lane = float(_ROAD_FEET[0])
    way = [(SIZE_HW[1] + size[0] / 2, lane), (bay + 60, lane), (bay, y), (bay - 60, lane), (-size[0] / 2, lane)]
    return _on_the_way(1, size, start_s, way, [0, 0, float(draw.uniform(40, 180)), 0, 0], float(draw.uniform(50, 80)))


def _on_the_way(
    class_id: int,
    size: tuple[float, float],
    start_s: float,
    way: list[tuple[float, float]],
    stays: list[float],
    speed: float,
) -> Thing:
    """A thing that goes from place to place at a speed, in pixels a second, and stays there for so many seconds."""
    times, feet = [start_s], [way[0]]
    for (before, after), stay in zip(pairwise(way), stays[1:], strict=True):
        times.append(times[-1] + float(np.hypot(after[0] - before[0], after[1] - before[1])) / speed)
        feet.append(after)
        if stay:
            times.append(times[-1] + stay)
            feet.append(after)
    return Thing(class_id, size, tuple(times), tuple(feet))


def happenings(thing: Thing, step_s: float = 0.02) -> list[Happening]:
    """What a thing does at the line and in the zones, by where it truly is: the truth."""
    times = np.arange(thing.times[0], thing.times[-1], step_s)
    x, y = (np.interp(times, thing.times, values) for values in zip(*thing.feet, strict=True))
    found = []
    for i in np.flatnonzero(np.diff(x >= _LINE_X)):
        if y[i] >= 130:
            found.append(Happening(float(times[i]), f"line {'in' if x[i + 1] >= _LINE_X else 'out'}"))
    for name, (left, top, right, bottom) in _ZONES.items():
        inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
        for i in np.flatnonzero(np.diff(inside)):
            found.append(Happening(float(times[i]), f"{name} {'enter' if inside[i + 1] else 'leave'}"))
    return found


@dataclass
class _Seen:
    """How a detector sees a thing just now: until when it is missed, taken for another class, and weak."""

    away_until: float = 0.0
    other_until: float = 0.0
    weak_until: float = 0.0
    shift: np.ndarray = field(default_factory=lambda: np.zeros(4))


def detect(
    things: list[Thing], minutes: float, fps: float, flaws: Flaws, seed: int
) -> Iterator[tuple[float, Detections]]:
    """Time in seconds and detections of each frame, with the flaws of a weak detector."""
    draw = np.random.default_rng(seed + 1)
    states = [_Seen() for _ in things]
    for frame in range(round(60 * minutes * fps)):
        time_s, rows = frame / fps, []
        for thing, state in zip(things, states, strict=True):
            box = thing.box_at(time_s)
            if box is not None:
                rows += _rows(thing, box, state, time_s, 1 / fps, flaws, draw)
        if draw.random() < flaws.ghosts:
            x, y = draw.uniform(40, 600), draw.uniform(120, 340)
            rows.append((x - 20, y - 80, x + 20, y, draw.uniform(0.25, 0.5), draw.integers(len(NAMES))))
        table = np.array(sorted(rows, key=lambda row: -row[4]), np.float64).reshape(-1, 6)
        yield time_s, Detections(*_columns(table), NAMES)


def _columns(table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    height, width = SIZE_HW
    boxes = table[:, :4].clip(0, [width, height, width, height])
    return boxes.astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64)


def _rows(
    thing: Thing, box: Box, state: _Seen, time_s: float, step_s: float, flaws: Flaws, draw: Generator
) -> list[tuple[float, ...]]:
    """What is told of a thing in a frame: ``(x1, y1, x2, y2, score, class)``."""
    before = thing.feet_at(max(thing.times[0], time_s - 10))
    parked = time_s - thing.times[0] > 10 and before == thing.feet_at(time_s)
    if draw.random() < step_s / flaws.away_every_s:
        state.away_until = time_s + draw.uniform(*(flaws.parked_away_s if parked else flaws.away_s))
    # Spells of a second: so often that they take their share of the time.
    if draw.random() < flaws.other_class * step_s:
        state.other_until = time_s + draw.exponential(1.0)
    if draw.random() < flaws.weak * step_s:
        state.weak_until = time_s + draw.exponential(1.0)
    side = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    # Half of what is wrong stays wrong in the next frame.
    state.shift = 0.5 * state.shift + draw.normal(0, flaws.jitter * np.sqrt(0.75), 4)
    if time_s < state.away_until or draw.random() < flaws.missed:
        return []
    class_id = _TAKEN_FOR[thing.class_id] if time_s < state.other_until else thing.class_id
    score = draw.uniform(0.1, 0.25) if time_s < state.weak_until else draw.uniform(0.28, 0.85)
    rows = [(*(np.array(box) + state.shift * side), score, class_id)]
    if draw.random() < flaws.twice:
        shift = draw.normal(0, flaws.jitter, 4)
        rows.append((*(np.array(box) + shift * side), 0.8 * score, _TAKEN_FOR[class_id]))
    return rows
