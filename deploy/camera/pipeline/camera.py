"""All that belongs to one camera of a pipeline."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.events.filters import Filters
from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.events.rules import Rules
from fusedet.deploy.camera.pipeline.capture import Capture
from fusedet.deploy.camera.pipeline.latest_frame_buffer import LatestFrameBuffer
from fusedet.deploy.camera.pipeline.statistics import CameraStatistics
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sources import Frame, Source
from fusedet.deploy.detector.detections import NO_TRACK, Detections
from fusedet.deploy.tracking.tracker import Tracker, TrackerSettings

#: With tracks, detections from this score on are looked at: they may go on a track, but begin none.
TRACKED_SCORE = 0.1


@dataclass(frozen=True)
class CameraSettings:
    """What a pipeline is told of a camera."""

    name: str  # unlike that of every other camera
    open_source: Callable[[], Source]  # called at the start, and again when the source hangs
    places: Places = field(default_factory=Places)  # zones and lines to watch
    #: None: objects get no numbers, and no zone is watched. Its scores follow from the pipeline's.
    tracker: TrackerSettings | None = field(default_factory=TrackerSettings)
    filters: Filters = field(default_factory=Filters)  # what counts of each class


class Camera:
    """One camera: its source, its tracks, its zones and lines, its figures.

    A source that cannot be opened is an ``InputError``.
    """

    def __init__(self, settings: CameraSettings, buffer: LatestFrameBuffer, score: float) -> None:
        self.name = settings.name
        self.statistics = CameraStatistics()
        self.rules = Rules(settings.name, settings.places, grace_s=0.0)  # the tracker waits for what is missed
        self._filters = settings.filters
        self.latest: Result | None = None
        self._buffer = buffer
        self._tracker: Tracker | None = None
        self.capture = Capture(settings.name, settings.open_source, buffer, self.statistics)
        if settings.tracker is not None:
            low = min(TRACKED_SCORE, score)
            with_scores = replace(settings.tracker, begin_score=score, high_score=score, low_score=low)
            self._tracker = Tracker(with_scores, self.capture.source.fps or 30.0)

    @property
    def tracks(self) -> bool:
        """Whether objects get numbers."""
        return self._tracker is not None

    def lowest_score(self, score: float) -> float:
        """The lowest score that the detector has to tell for this camera."""
        lowest = self._filters.lowest_score(score)
        return min(TRACKED_SCORE, lowest) if self.tracks else lowest

    def interpret(self, frame: Frame, found: Detections, score: float) -> tuple[Detections, tuple[Event, ...]]:
        """What was found, with numbers and without what does not count; and what has happened."""
        height, width = frame.image.shape[:2]
        found = self._filters.apply(found, (width, height))
        thresholds = self._filters.thresholds(found, score)
        strong = found.scores >= thresholds
        if self._tracker is None:
            return found[strong], ()
        # A file's own time: it may be read faster than it plays. A camera's is the clock's.
        time_s = frame.captured_s if frame.time_s is None else frame.time_s
        tracked = self._tracker.update(found, time_s, thresholds)
        assert tracked.track_ids is not None
        counts = (tracked.track_ids != NO_TRACK) | strong
        kept = tracked[counts]
        return kept, self.rules.update(kept, frame, strong[counts])

    @property
    def error(self) -> str | None:
        """What is wrong with its source or with its frames, in one line."""
        return self.capture.error or self.statistics.error

    @property
    def healthy(self) -> bool:
        """Whether frames come, if they have not ended, and get results."""
        return self.capture.state != "waiting" and self.statistics.error is None

    def report(self) -> dict[str, Any]:
        """The camera's part of :meth:`~fusedet.deploy.camera.pipeline.pipeline.Pipeline.status`."""
        figures = self.statistics.report()
        return {
            "state": self.capture.state,
            "error": self.error,
            **figures,
            "unreadable": self.capture.unreadable,
            "dropped": figures["dropped"] + self._buffer.dropped(self.name),
            "reconnects": self.capture.reconnects,
            "places": self.rules.counts(),
        }
