"""One frame with what was found in it: what the pipeline hands to sinks and page."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.sources import Frame
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.detector import Timings


@dataclass(frozen=True)
class Result:
    """One frame, what was found in it, and what that means."""

    camera: str  # the camera's name; of ``fusedet detect``, the source's
    frame: Frame
    detections: Detections  # with the numbers of tracks where they are kept
    events: tuple[Event, ...]  # what happened in the camera's zones and at its lines
    timings: Timings  # of the detector, in milliseconds
    done_s: float  # ``time.monotonic()`` when this result was ready
    #: what happened in ``places``, the camera's zones and lines, so far; see ``Rules.counts``
    counts: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    places: Places = field(default_factory=Places)

    @classmethod
    def of_frame(cls, frame: Frame, detections: Detections, timings: Timings) -> "Result":
        """A result without camera and events, ready now."""
        return cls(frame.source, frame, detections, (), timings, time.monotonic())

    @property
    def age_s(self) -> float:
        """Seconds from the capture of the frame to this result."""
        return self.done_s - self.frame.captured_s
