"""What happened, where and when."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Event", "EventKind"]

EventKind = Literal["enter", "leave", "dwell", "cross"]


@dataclass(frozen=True)
class Event:
    """One object did one thing.

    Attributes:
        id: unique in all runs, so that whoever receives an event twice can tell.
        kind: ``enter`` and ``leave`` of a zone, ``dwell``: it has stayed for the zone's ``dwell_s``, ``cross`` a line.
        camera: the camera's name.
        place: the zone's or line's name.
        track: the object's number.
        label: its class.
        score: of the detection, (0, 1); for ``leave`` of an object that is gone, of the last one.
        box_xyxy: likewise; pixels of the camera's image.
        direction: ``in`` or ``out`` for ``cross``, else None.
        inside_s: seconds in the zone for ``leave`` (until it was last seen) and ``dwell``, else None.
        frame: number of the camera's frame in which it was noticed; an object that is gone is missed only later.
        time: seconds since 1970 (UTC) when that frame was captured.
    """

    id: str
    kind: EventKind
    camera: str
    place: str
    track: int
    label: str
    score: float
    box_xyxy: tuple[float, float, float, float]
    direction: Literal["in", "out"] | None
    inside_s: float | None
    frame: int
    time: float

    def to_record(self) -> dict[str, Any]:
        """Plain values for JSON: the attributes under their names, rounded."""
        record = asdict(self)
        record["box_xyxy"] = [round(side, 2) for side in self.box_xyxy]
        record["score"] = round(self.score, 4)
        record["inside_s"] = None if self.inside_s is None else round(self.inside_s, 3)
        record["time"] = round(self.time, 3)
        return record
