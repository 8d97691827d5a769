"""Tracks: the same object keeps one number from image to image.

ByteTrack (Zhang et al., 2022): what is found with a high score is matched with the tracks first; what is found with a
low score may go on a track that got nothing, because an object that is partly hidden scores low, but never begins one.
Where a track is going to be is predicted by a Kalman filter with constant velocity.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.detector.boxes import box_iou
from fusedet.deploy.detector.detections import NO_TRACK, Detections
from fusedet.deploy.tracking.assignment import assign_least_cost
from fusedet.deploy.tracking.motion import Motion

__all__ = ["Tracker", "TrackerSettings"]


@dataclass(frozen=True)
class TrackerSettings:
    """What belongs together.

    Attributes:
        begin_score: a detection with this score or more may begin a track.
        high_score: detections from here on are matched first.
        low_score: lower ones are not looked at; between the two they may only go on a track.
        match_iou: least IoU, weighed by the score, of a detection with high score and a track's predicted box.
        low_match_iou: least IoU of a detection with low score and a track's predicted box.
        new_match_iou: as ``match_iou``, for a track that has been seen once.
        lost_s: a track that is not seen for longer ends, in seconds.
        by_class: a track keeps its class; else a detection of another class may go on it.
    """

    begin_score: float = 0.6
    high_score: float = 0.5
    low_score: float = 0.1
    match_iou: float = 0.2
    low_match_iou: float = 0.5
    new_match_iou: float = 0.3
    lost_s: float = 1.0
    by_class: bool = True

    def __post_init__(self) -> None:
        for name in ("begin_score", "high_score", "low_score", "match_iou", "low_match_iou", "new_match_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be in 0..1, but got {getattr(self, name)}")
        if not self.low_score <= self.high_score <= self.begin_score:
            found = f"{self.low_score}, {self.high_score} and {self.begin_score}"
            raise InputError(f"low_score, high_score and begin_score must not fall in this order, but got {found}")
        if self.lost_s < 0:
            raise InputError(f"lost_s must be 0 or more, but got {self.lost_s}")


@dataclass
class _Track:
    """One object.

    Attributes:
        motion: where it is and where it goes.
        class_id: of the detection that it was last seen as.
        number: 1, 2, 3, ... once it has been seen twice, or in the first image; before that :data:`NO_TRACK`.
        seen_s: when it was last seen.
        lost: whether it was missing in the last image.
    """

    motion: Motion
    class_id: int
    number: int
    seen_s: float
    lost: bool = False


class Tracker:
    """Numbers the objects of one stream of images.

        tracker = Tracker()
        for frame in source:
            detections = detector(frame.image)
            detections = tracker.update(detections, frame.time_s)
            print(detections.track_ids)

    The detector's score threshold must be as low as ``low_score``, or there is nothing to go on with.
    """

    def __init__(self, settings: TrackerSettings | None = None, fps: float = 30.0) -> None:
        """Begins without tracks.

        Args:
            settings: left out, the defaults.
            fps: images per second, where no time is given, and the pace that the motion model is made for.

        Raises:
            InputError: ``fps`` is not above 0.
        """
        if not fps > 0:
            raise InputError(f"fps must be above 0, but got {fps}")
        self.settings = settings or TrackerSettings()
        self._interval_s = 1 / fps
        self._tracks: list[_Track] = []
        self._next = 1
        self._now_s: float | None = None

    def update(self, detections: Detections, time_s: float | None = None) -> Detections:
        """The detections of the next image with the numbers of their tracks.

        Args:
            detections: in that image.
            time_s: when it was taken, in seconds of any clock, so that images that were left out do not matter;
                left out, one interval after the last one.

        Raises:
            ValueError: time runs backwards.
        """
        first = self._now_s is None
        steps = self._advance(time_s)
        for track in self._tracks:
            track.motion.predict(steps)
        numbers = np.full(len(detections), NO_TRACK, np.int64)
        settings = self.settings
        high = [int(i) for i in np.flatnonzero(detections.scores >= settings.high_score)]
        low = [int(i) for i in np.flatnonzero(_between(detections.scores, settings.low_score, settings.high_score))]

        known = [track for track in self._tracks if track.number != NO_TRACK]
        fresh = [track for track in self._tracks if track.number == NO_TRACK]
        known, high = self._match(known, high, detections, numbers, settings.match_iou, weigh=True)
        present = [track for track in known if not track.lost]
        missing, _ = self._match(present, low, detections, numbers, settings.low_match_iou, weigh=False)
        fresh, high = self._match(fresh, high, detections, numbers, settings.new_match_iou, weigh=True)
        for track in missing:
            track.lost = True
        gone = {id(track) for track in fresh}  # seen once, and not again in the very next image
        self._tracks = [track for track in self._tracks if id(track) not in gone and not self._is_over(track)]
        for i in high:
            if detections.scores[i] >= settings.begin_score:
                numbers[i] = self._begin(detections, i, at_once=first)
        return replace(detections, track_ids=numbers)

    def _advance(self, time_s: float | None) -> float:
        """Moves the clock; how many intervals have passed."""
        before = self._now_s
        if time_s is None:
            time_s = 0.0 if before is None else before + self._interval_s
        if before is not None and time_s < before:
            raise ValueError(f"time must not run backwards, but {time_s} s comes after {before} s")
        self._now_s = time_s
        return 0.0 if before is None else (time_s - before) / self._interval_s

    def _match(
        self,
        tracks: list[_Track],
        candidates: list[int],
        detections: Detections,
        numbers: NDArray[np.int64],
        least_iou: float,
        *,
        weigh: bool,
    ) -> tuple[list[_Track], list[int]]:
        """Gives detections to tracks; what is left of both."""
        if not tracks or not candidates:
            return tracks, candidates
        boxes = np.stack([track.motion.box for track in tracks])
        likeness = box_iou(boxes, detections.boxes_xyxy[candidates])
        if weigh:
            likeness = likeness * detections.scores[candidates]
        cost = 1 - likeness
        if self.settings.by_class:
            same = np.array([track.class_id for track in tracks])[:, None] == detections.class_ids[candidates]
            cost = np.where(same, cost, np.inf)
        pairs = assign_least_cost(cost, 1 - least_iou)
        for row, column in pairs:
            numbers[candidates[column]] = self._see(tracks[row], detections, candidates[column])
        rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
        return (
            [track for row, track in enumerate(tracks) if row not in rows],
            [i for column, i in enumerate(candidates) if column not in columns],
        )

    def _see(self, track: _Track, detections: Detections, index: int) -> int:
        """A track was found again; its number."""
        assert self._now_s is not None
        track.motion.correct(detections.boxes_xyxy[index])
        track.class_id, track.seen_s, track.lost = int(detections.class_ids[index]), self._now_s, False
        if track.number == NO_TRACK:
            track.number = self._new_number()
        return track.number

    def _begin(self, detections: Detections, index: int, *, at_once: bool) -> int:
        """A new track; it has a number at once in the first image, else when it is seen again."""
        assert self._now_s is not None
        number = self._new_number() if at_once else NO_TRACK
        motion = Motion(detections.boxes_xyxy[index])
        self._tracks.append(_Track(motion, int(detections.class_ids[index]), number, self._now_s))
        return number

    def _is_over(self, track: _Track) -> bool:
        assert self._now_s is not None
        return track.lost and self._now_s - track.seen_s > self.settings.lost_s

    def _new_number(self) -> int:
        self._next += 1
        return self._next - 1


def _between(scores: NDArray[np.float32], low: float, high: float) -> NDArray[np.bool_]:
    return (scores >= low) & (scores < high)
