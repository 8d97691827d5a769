"""What tracked objects do in the zones and at the lines of a camera.

Where an object is, is one point: the middle of its box's lower side, its feet. Boxes tremble, so a border is passed
with a margin, which grows with the box because larger boxes tremble more:

- An object is in a zone as soon as its point is inside, and until the point is farther than the margin outside, or
  until the object has been gone for longer than a grace time.
- An object has passed a line when its point is farther than the margin beyond it, after it was as far on the other
  side. What counts is the way in between: it must lead through the line, not around its ends. A way that leads through
  it several times, forth and back, counts once or not at all.
"""

import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from fusedet.deploy.camera.events.event import Event, EventKind
from fusedet.deploy.camera.events.geometry import Barrier, Region, Size
from fusedet.deploy.camera.events.places import Line, Places, Point, Zone
from fusedet.deploy.camera.sources import Frame
from fusedet.deploy.detector.detections import NO_TRACK, Detections

__all__ = ["Rules"]

#: The margin in pixels is this share of the image's height and that of the box's height together.
_OF_IMAGE, _OF_BOX = 0.005, 0.03


@dataclass
class _Stay:
    """An object in a zone: since when, the class that it came in as, and whether its dwelling was told."""

    since_s: float
    label: str
    dwelt: bool = False


@dataclass
class _Side:
    """An object and a line: the side on which it was surely (-1 left, 1 right, 0 none yet), and how often it passed."""

    sure: int = 0
    passed: int = 0


@dataclass
class _Object:
    """What is known of a track.

    Attributes:
        seen_s: when it was last seen.
        label: its class then; ``score``, ``box`` and ``feet`` (a fraction of the image) likewise.
        stays: zone -> its stay.
        sides: line -> where it is.
    """

    seen_s: float
    label: str
    score: float
    box: tuple[float, float, float, float]
    feet: Point
    stays: dict[str, _Stay] = field(default_factory=dict)
    sides: dict[str, _Side] = field(default_factory=dict)


class Rules:
    """The events of one camera. Every method may be called from any thread.

    rules = Rules("door", Places(zones=(Zone("step", ((0.1, 0.5), (0.9, 0.5), (0.5, 1.0))),)))
    for frame in source:
        detections = tracker.update(detector(frame.image), frame.time_s)
        for event in rules.update(detections, frame):
            print(event)
    """

    def __init__(self, camera: str, places: Places, grace_s: float = 2.0) -> None:
        """Begins without objects.

        Args:
            camera: its name, for the events.
            places: zones and lines.
            grace_s: an object that was not seen for longer has left; not shorter than the tracker's ``lost_s``, or an
                object that is found again enters again.
        """
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
                known.stays = {name: stay for name, stay in known.stays.items() if name in kept}
                known.sides = {name: side for name, side in known.sides.items() if name in kept}

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

    def update(self, detections: Detections, frame: Frame) -> tuple[Event, ...]:
        """What happened in the next frame.

        Args:
            detections: in that frame, with the numbers of their tracks; those without one are not looked at.
            frame: of it, size, number and times. Time passes by ``time_s``, where there is none by ``captured_s``.

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
            for box, score, label, track in zip(
                detections.boxes_xyxy.tolist(),
                detections.scores.tolist(),
                detections.labels,
                detections.track_ids.tolist(),
                strict=True,
            ):
                if track != NO_TRACK:
                    events += self._see(track, label, score, tuple(box), frame)
            return (*events, *self._end_the_gone(frame))

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
            self._regions = [(zone, Region(zone, size)) for zone in self._places.zones]
            self._barriers = [(line, Barrier(line, size)) for line in self._places.lines]

    def _see(self, track: int, label: str, score: float, box: Any, frame: Frame) -> list[Event]:
        """An object is in the image."""
        assert self._size is not None
        width, height = self._size
        feet = (min(max((box[0] + box[2]) / 2, 0.0), width), min(max(box[3], 0.0), height))
        margin = _OF_IMAGE * height + _OF_BOX * max(0.0, box[3] - box[1])
        share = (feet[0] / width, feet[1] / height)
        known = self._objects.setdefault(track, _Object(self._now_s, label, score, box, share))
        before = (known.feet[0] * width, known.feet[1] * height)
        known.seen_s, known.label, known.score, known.box, known.feet = self._now_s, label, score, box, share
        events = []
        for zone, region in self._regions:
            for kind, of, inside_s in self._stay(known, zone, region, feet, margin):
                events.append(self._tell(kind, zone.name, track, known, frame, of, inside_s=inside_s))
        for line, barrier in self._barriers:
            direction = _pass(known.sides.setdefault(line.name, _Side()), barrier, before, feet, margin)
            if direction is not None and (line.classes is None or label in line.classes):
                events.append(self._tell("cross", line.name, track, known, frame, label, direction=direction))
        return events

    def _stay(
        self, known: _Object, zone: Zone, region: Region, feet: Point, margin: float
    ) -> list[tuple[EventKind, str, float | None]]:
        """What an object that is seen does in a zone, as kind, class and seconds inside."""
        stay = known.stays.get(zone.name)
        happened: list[tuple[EventKind, str, float | None]] = []
        if stay is None:
            if not region.contains(feet) or not (zone.classes is None or known.label in zone.classes):
                return happened
            stay = known.stays[zone.name] = _Stay(self._now_s, known.label)
            happened.append(("enter", stay.label, None))
        elif not region.contains(feet) and region.distance(feet) > margin:
            del known.stays[zone.name]
            return [("leave", stay.label, self._now_s - stay.since_s)]
        if zone.dwell_s is not None and not stay.dwelt and self._now_s - stay.since_s >= zone.dwell_s:
            stay.dwelt = True
            happened.append(("dwell", stay.label, self._now_s - stay.since_s))
        return happened

    def _end_the_gone(self, frame: Frame) -> list[Event]:
        """Objects that are not seen any more leave their zones, and are forgotten."""
        gone = [track for track, known in self._objects.items() if self._now_s - known.seen_s > self._grace_s]
        events = []
        for track in gone:
            known = self._objects.pop(track)
            for zone, stay in known.stays.items():
                inside_s = known.seen_s - stay.since_s
                events.append(self._tell("leave", zone, track, known, frame, stay.label, inside_s=inside_s))
        return events

    def _tell(
        self,
        kind: EventKind,
        place: str,
        track: int,
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
            track=track,
            label=label,
            score=known.score,
            box_xyxy=known.box,
            direction=direction,
            inside_s=inside_s,
            frame=frame.index,
            time=frame.taken_at,
        )


def _pass(side: _Side, barrier: Barrier, before: Point, feet: Point, margin: float) -> Literal["in", "out"] | None:
    """One step of an object at a line: whether it has passed it now.

    The ways through the line since the object was last surely on a side are added up, in as 1 and out as -1.
    """
    side.passed += barrier.passed(before, feet)
    offset = barrier.offset(feet)
    reach = barrier.reach[offset > 0]  # a line near the image's border leaves less room than the margin
    if offset == 0 or abs(offset) < min(margin, reach / 2):
        return None
    now = 1 if offset > 0 else -1
    came, through, side.sure, side.passed = side.sure, side.passed, now, 0
    if came in (0, now) or through != now:
        return None
    return "in" if now > 0 else "out"
