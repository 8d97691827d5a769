"""What tracked objects do in the zones and at the lines of a camera.

Where an object is, is one point: the middle of its box's lower side, its feet. Its boxes tremble; when it has passed a
border all the same, :mod:`fusedet.deploy.camera.events.border` says.

- An object is in a zone from when its point is surely inside, until it is surely outside or its track has ended.
- An object has passed a line when its point is surely beyond it, after it was surely on the other side.
- Nothing begins while an object scores below the score threshold: it enters, or has passed a line, when it is seen
  there with a higher score, or was a moment ago.
"""

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.camera.events.border import INSIDE, OUTSIDE, AtLine, Side, Sight, pass_line, settle_in_zone
from fusedet.deploy.camera.events.event import Event, EventKind
from fusedet.deploy.camera.events.geometry import Barrier, Region, Size
from fusedet.deploy.camera.events.places import Line, Places, Point, Zone
from fusedet.deploy.camera.sources import Frame
from fusedet.deploy.detector.detections import NO_TRACK, Detections

__all__ = ["Rules"]

#: An object that has scored below the score threshold for longer begins nothing.
_WEAK_S = 1.0


@dataclass
class _Stay:
    """An object in a zone: since when, the class that it came in as, and whether its dwelling was told."""

    since_s: float
    label: str
    dwelt: bool = False


@dataclass
class _Object:
    """What is known of a track: when it was last seen, as what, and where; ``feet`` are in fractions of the image.

    ``score`` and ``strong_s`` are of its last detection that was not below the score threshold. ``stays``, ``zones``
    (whether it is surely inside) and ``lines`` are by the names of zones and lines.
    """

    number: int
    seen_s: float
    label: str
    score: float
    box: tuple[float, float, float, float]
    strong_s: float
    feet: Point | None = None
    stays: dict[str, _Stay] = field(default_factory=dict)
    zones: dict[str, Side] = field(default_factory=dict)
    lines: dict[str, AtLine] = field(default_factory=dict)

    def keep(self, names: set[str]) -> None:
        """Forgets what it did in other zones and at other lines."""
        self.stays = {name: stay for name, stay in self.stays.items() if name in names}
        self.zones = {name: side for name, side in self.zones.items() if name in names}
        self.lines = {name: at for name, at in self.lines.items() if name in names}


class Rules:
    """The events of one camera. Every method may be called from any thread.

    rules = Rules("door", Places(zones=(Zone("step", ((0.1, 0.5), (0.9, 0.5), (0.5, 1.0))),)))
    for frame in source:
        detections = tracker.update(detector(frame.image), frame.time_s)
        for event in rules.update(detections, frame):
            print(event)
    """

    def __init__(self, camera: str, places: Places, grace_s: float = 2.0) -> None:
        """Begins without objects. An object whose track has ended, and that was not seen for ``grace_s``, has left."""
        self._camera = camera
        self._grace_s = grace_s
        self._lock = threading.Lock()
        self._places = places
        self._counts: dict[str, dict[str, Counter[str]]] = {}
        self._size: Size | None = None
        self._regions: list[tuple[Zone, Region]] = []
        self._barriers: list[tuple[Line, Barrier]] = []
        self._objects: dict[int, _Object] = {}
        self._now_s = 0.0
        self._clock: float | None = None
        self._begin_counts(kept=set())

    @property
    def places(self) -> Places:
        """The zones and lines."""
        return self._places

    def set_places(self, places: Places) -> None:
        """Replaces zones and lines. One that is equal to one before keeps its counts, and the objects in it."""
        with self._lock:
            kept = {zone.name for zone in places.zones if zone in self._places.zones}
            kept |= {line.name for line in places.lines if line in self._places.lines}
            self._places, self._size = places, None
            self._begin_counts(kept)
            for known in self._objects.values():
                known.keep(kept)

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """What happened so far, as ``place -> what -> class -> number``.

        For a zone, ``inside`` (now), ``enter``, ``leave`` and ``dwell``; for a line, ``in`` and ``out``. A class that
        was never seen is left out.
        """
        with self._lock:
            counts = {name: {what: dict(one) for what, one in of.items()} for name, of in self._counts.items()}
            for zone in self._places.zones:
                stays = [known.stays[zone.name] for known in self._objects.values() if zone.name in known.stays]
                counts[zone.name] = {"inside": dict(Counter(stay.label for stay in stays)), **counts[zone.name]}
            return counts

    def update(
        self, detections: Detections, frame: Frame, strong: NDArray[np.bool_] | None = None
    ) -> tuple[Event, ...]:
        """What happened in the next frame.

        Args:
            detections: in that frame, with the numbers of their tracks; those without one are not looked at.
            frame: of it, size, number and times. Time passes by ``time_s``, where there is none by ``captured_s``.
            strong: ``[N]``: which are not below the score threshold; left out, all.

        Raises:
            ValueError: nothing was tracked.
        """
        if detections.track_ids is None:
            raise ValueError("zones and lines need tracks, but the detections have no track_ids")
        with self._lock:
            self._advance(frame.captured_s if frame.time_s is None else frame.time_s)
            height, width = frame.image.shape[:2]
            self._measure((width, height))
            events: list[Event] = []
            for i, (label, track) in enumerate(zip(detections.labels, detections.track_ids.tolist(), strict=True)):
                if track == NO_TRACK:
                    continue
                box, score = tuple(detections.boxes_xyxy[i].tolist()), float(detections.scores[i])
                known = self._objects.setdefault(track, _Object(track, self._now_s, label, score, box, self._now_s))
                if strong is None or strong[i]:
                    known.score, known.strong_s = score, self._now_s
                events += self._act(known, self._look(known, label, box), frame)
            return (*events, *self._end_the_gone(detections.missing, frame))

    def _begin_counts(self, kept: set[str]) -> None:
        kinds: dict[str, tuple[str, ...]] = {zone.name: ("enter", "leave", "dwell") for zone in self._places.zones}
        kinds |= {line.name: ("in", "out") for line in self._places.lines}
        before = self._counts
        self._counts = {
            name: before[name] if name in kept else {what: Counter() for what in whats} for name, whats in kinds.items()
        }

    def _advance(self, clock: float) -> None:
        """Moves the time on; a clock that jumps back, as that of a video that begins again, takes no time."""
        if self._clock is not None:
            self._now_s += max(0.0, clock - self._clock)
        self._clock = clock

    def _measure(self, size: Size) -> None:
        if size != self._size:
            self._size = size
            self._regions = [(zone, Region(zone.points, size)) for zone in self._places.zones]
            self._barriers = [(line, Barrier(line, size)) for line in self._places.lines]

    def _look(self, known: _Object, label: str, box: Any) -> Sight:
        """Takes in where an object is now."""
        assert self._size is not None
        width, height = self._size
        feet = (min(max((box[0] + box[2]) / 2, 0.0), width), min(max(box[3], 0.0), height))
        share = (feet[0] / width, feet[1] / height)
        before = share if known.feet is None else known.feet
        known.seen_s, known.label, known.box, known.feet = self._now_s, label, box, share
        sides = (max(0.0, box[2] - box[0]), max(0.0, box[3] - box[1]))
        strong = self._now_s - known.strong_s <= _WEAK_S
        return Sight((before[0] * width, before[1] * height), feet, sides, self._size, strong)

    def _act(self, known: _Object, sight: Sight, frame: Frame) -> Iterator[Event]:
        """What an object that is seen does."""
        for zone, region in self._regions:
            side = known.zones.setdefault(zone.name, Side(sure=OUTSIDE))
            settle_in_zone(side, zone, region, sight)
            yield from self._stay(known, zone, side.sure == INSIDE, sight.strong, frame)
        for line, barrier in self._barriers:
            direction = pass_line(known.lines.setdefault(line.name, AtLine()), line, barrier, sight)
            if direction is not None and (line.classes is None or known.label in line.classes):
                yield self._tell("cross", line.name, known, frame, known.label, direction=direction)

    def _stay(self, known: _Object, zone: Zone, inside: bool, strong: bool, frame: Frame) -> Iterator[Event]:
        """What an object that is seen does in a zone."""
        stay = known.stays.get(zone.name)
        if stay is None:
            if not inside or not strong or not (zone.classes is None or known.label in zone.classes):
                return
            stay = known.stays[zone.name] = _Stay(self._now_s, known.label)
            yield self._tell("enter", zone.name, known, frame, stay.label)
        stayed_s = self._now_s - stay.since_s
        if not inside:
            del known.stays[zone.name]
            yield self._tell("leave", zone.name, known, frame, stay.label, inside_s=stayed_s)
        elif zone.dwell_s is not None and not stay.dwelt and stayed_s >= zone.dwell_s:
            stay.dwelt = True
            yield self._tell("dwell", zone.name, known, frame, stay.label, inside_s=stayed_s)

    def _end_the_gone(self, missing: frozenset[int], frame: Frame) -> Iterator[Event]:
        """Objects that are not seen any more, and whose tracks do not go on, leave their zones and are forgotten."""
        for track, known in list(self._objects.items()):
            if track not in missing and self._now_s - known.seen_s > self._grace_s:
                del self._objects[track]
                for zone, stay in known.stays.items():
                    inside_s = known.seen_s - stay.since_s
                    yield self._tell("leave", zone, known, frame, stay.label, inside_s=inside_s)

    def _tell(
        self,
        kind: EventKind,
        place: str,
        known: _Object,
        frame: Frame,
        label: str,
        *,
        direction: Literal["in", "out"] | None = None,
        inside_s: float | None = None,
    ) -> Event:
        """Counts what happened and makes the event of it."""
        self._counts[place][direction or kind][label] += 1
        return Event(
            id=uuid.uuid4().hex,
            kind=kind,
            camera=self._camera,
            place=place,
            track=known.number,
            label=label,
            score=known.score,
            box_xyxy=known.box,
            direction=direction,
            inside_s=inside_s,
            frame=frame.index,
            time=frame.taken_at,
        )
