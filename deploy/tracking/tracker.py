"""Tracks: the same object keeps one number from image to image.

ByteTrack (Zhang et al., 2022): what is found with a high score is matched with the tracks first; what is found with a
low score may go on a track that got nothing, because an object that is partly hidden scores low, but never begins one.
Where a track is going to be is predicted by a Kalman filter with constant velocity. What stands still is waited for at
its place for longer. What an object is, is decided by all images of its track.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fusedet.common.arguments import DUPLICATE_IOU, check_fraction
from fusedet.common.errors import InputError
from fusedet.deploy.detector.boxes import box_iou
from fusedet.deploy.detector.detections import NO_TRACK, Detections
from fusedet.deploy.tracking.assignment import assign_least_cost
from fusedet.deploy.tracking.motion import Motion
from fusedet.deploy.tracking.track import Track

__all__ = ["Tracker", "TrackerSettings"]

#: Least IoU of a detection and a track of another class, and of one and the place of an object that stood still.
_SURE_IOU = 0.5
#: Of two that fit a track equally well, one of its class is so many times as likely.
_OTHER_CLASS = 0.5
#: After so many seconds without an image nobody can say which object is which; of slow streams, so many intervals.
_GAP_S, _GAP_INTERVALS = 10.0, 3.0


@dataclass(frozen=True)
class TrackerSettings:
    """What belongs together.

    Attributes:
        begin_score: a detection with this score or more may begin a track.
        high_score: detections from here on are matched first.
        low_score: lower ones are not looked at; between the two they may only go on a track.
        match_iou: least IoU of a detection with high score and a track's predicted box.
        low_match_iou: least IoU of a detection with low score and a track's predicted box.
        new_match_iou: as ``match_iou``, for a track that has been seen once.
        lost_s: a track that is not seen for longer ends, in seconds.
        still_s: the same of an object that stood still; one shorter than ``lost_s`` means nothing.
        by_class: a detection of another class goes on a track only where it overlaps by half and more, and rather on
            a track of its class; else the class does not matter. Either way an object is what it was seen as most.
    """

    begin_score: float = 0.6
    high_score: float = 0.5
    low_score: float = 0.1
    match_iou: float = 0.2
    low_match_iou: float = 0.5
    new_match_iou: float = 0.3
    lost_s: float = 2.0
    still_s: float = 60.0
    by_class: bool = True

    def __post_init__(self) -> None:
        for name in ("begin_score", "high_score", "low_score", "match_iou", "low_match_iou", "new_match_iou"):
            check_fraction(name, getattr(self, name))
        if not self.low_score <= self.high_score <= self.begin_score:
            found = f"{self.low_score}, {self.high_score} and {self.begin_score}"
            raise InputError(f"low_score, high_score and begin_score must not fall in this order, but got {found}")
        for name in ("lost_s", "still_s"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must be 0 or more, but got {getattr(self, name)}")


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

        ``fps`` are images per second, where no time is given, and the pace that the motion model is made for.

        Raises:
            InputError: ``fps`` is not above 0.
        """
        if not fps > 0:
            raise InputError(f"fps must be above 0, but got {fps}")
        self.settings = settings or TrackerSettings()
        self._interval_s = 1 / fps
        self._tracks: list[Track] = []
        self._next = 1
        self._now_s: float | None = None

    def update(
        self,
        detections: Detections,
        time_s: float | None = None,
        thresholds: NDArray[np.float32] | None = None,
    ) -> Detections:
        """The detections of the next image with the numbers of their tracks, and the classes of these.

        Args:
            detections: in that image.
            time_s: when it was taken, in seconds of any clock, so that images that were left out do not matter;
                left out or no finite number, one interval after the last one. Where it runs backwards every track ends;
                where nothing came for so long that nobody can say which object is which, all but those that stand
                still. Numbers go on.
            thresholds: ``[N]``: of each detection, what stands for ``begin_score`` and ``high_score``; left out, these.

        Returns:
            Its ``missing`` are the tracks that go on without a detection.
        """
        steps = self._advance(time_s)
        first = steps is None
        for track in self._tracks:
            track.predict(steps or 0.0)
        settings, scores = self.settings, detections.scores
        is_high = scores >= (settings.high_score if thresholds is None else thresholds)
        found = _Found(detections)
        high = np.flatnonzero(is_high).tolist()
        low = np.flatnonzero(~is_high & (scores >= settings.low_score)).tolist()

        known = [track for track in self._tracks if track.number != NO_TRACK]
        fresh = [track for track in self._tracks if track.number == NO_TRACK]
        parked = [track for track in known if self._unseen_s(track) > settings.lost_s]
        near = [track for track in known if self._unseen_s(track) <= settings.lost_s]
        near, high = self._match(near, high, found, settings.match_iou)
        fresh, high = self._match(fresh, high, found, settings.new_match_iou)
        parked, high = self._match(parked, high, found, _SURE_IOU)
        waiting = [track for track in [*near, *parked] if not track.lost or track.still]
        self._match(waiting, low, found, settings.low_match_iou)
        self._end(fresh, found)
        for i in high:
            begins = scores[i] >= (settings.begin_score if thresholds is None else thresholds[i])
            if begins and not found.is_duplicate(i):
                found.tracks[i] = self._begin(detections, i, at_once=first)
        return found.result(frozenset(track.number for track in self._tracks if track.lost))

    def _advance(self, time_s: float | None) -> float | None:
        """Moves the clock; how many intervals have passed, None at the start and where tracks start afresh."""
        before = self._now_s
        if time_s is None or not math.isfinite(time_s):
            time_s = 0.0 if before is None else before + self._interval_s
        self._now_s = time_s
        gap_s = max(self.settings.lost_s, _GAP_S, _GAP_INTERVALS * self._interval_s)
        if before is None or time_s < before:
            self._tracks = []
            return None
        if time_s - before > gap_s:
            self._tracks = [
                track for track in self._tracks if track.still and self._unseen_s(track) <= self._limit_s(track)
            ]
            return None
        return (time_s - before) / self._interval_s

    def _match(
        self, tracks: list[Track], candidates: list[int], found: "_Found", least_iou: float
    ) -> tuple[list[Track], list[int]]:
        """Gives detections to tracks; what is left of both."""
        if not tracks or not candidates:
            return tracks, candidates
        detections = found.detections
        iou = box_iou(np.stack([track.box for track in tracks]), detections.boxes_xyxy[candidates])
        likeness, least = iou * detections.scores[candidates], np.full(iou.shape, least_iou)
        if self.settings.by_class:
            other = np.array([track.class_id for track in tracks])[:, None] != detections.class_ids[candidates]
            likeness = np.where(other, _OTHER_CLASS * likeness, likeness)
            least = np.where(other, np.maximum(least, _SURE_IOU), least)
        pairs = assign_least_cost(np.where(iou >= least, 1 - likeness, np.inf), 1.0)
        for row, column in pairs:
            self._see(tracks[row], found, candidates[column])
        rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
        return (
            [track for row, track in enumerate(tracks) if row not in rows],
            [i for column, i in enumerate(candidates) if column not in columns],
        )

    def _see(self, track: Track, found: "_Found", index: int) -> None:
        """A track was found again."""
        assert self._now_s is not None
        detections = found.detections
        track.see(detections.boxes_xyxy[index], self._now_s)
        track.vote(int(detections.class_ids[index]), float(detections.scores[index]))
        if track.number == NO_TRACK:
            track.number = self._new_number()
        found.tracks[index] = track

    def _begin(self, detections: Detections, index: int, *, at_once: bool) -> Track:
        """A new track; it has a number at once in the first image, else when it is seen again."""
        assert self._now_s is not None
        number = self._new_number() if at_once else NO_TRACK
        track = Track(Motion(detections.boxes_xyxy[index]), self._now_s, number)
        track.vote(int(detections.class_ids[index]), float(detections.scores[index]))
        self._tracks.append(track)
        return track

    def _end(self, fresh: list[Track], found: "_Found") -> None:
        """Ends what was seen once and not again in the very next image, and what was lost for too long."""
        seen = {id(track) for track in found.tracks.values()}
        gone = {id(track) for track in fresh}
        for track in self._tracks:
            track.lost = id(track) not in seen
            if track.lost and self._unseen_s(track) > self._limit_s(track):
                gone.add(id(track))
        self._tracks = [track for track in self._tracks if id(track) not in gone]

    def _limit_s(self, track: Track) -> float:
        """How long a track lives without being seen, in seconds."""
        return max(self.settings.lost_s, self.settings.still_s if track.still else 0.0)

    def _unseen_s(self, track: Track) -> float:
        assert self._now_s is not None
        return self._now_s - track.seen_s

    def _new_number(self) -> int:
        self._next += 1
        return self._next - 1


@dataclass
class _Found:
    """The detections of an image, and the track of each that has one."""

    detections: Detections
    tracks: dict[int, Track] = field(default_factory=dict)

    def is_duplicate(self, index: int) -> bool:
        """Whether a detection shows what has a track already, as something else."""
        if not self.tracks:
            return False
        boxes, classes, others = self.detections.boxes_xyxy, self.detections.class_ids, list(self.tracks)
        overlap = box_iou(boxes[[index]], boxes[others])[0]
        return bool(((overlap >= DUPLICATE_IOU) & (classes[others] != classes[index])).any())

    def result(self, missing: frozenset[int]) -> Detections:
        """The detections with the numbers and classes of their tracks."""
        track_ids, class_ids = np.full(len(self.detections), NO_TRACK, np.int64), self.detections.class_ids.copy()
        for index, track in self.tracks.items():
            track_ids[index], class_ids[index] = track.number, track.class_id
        return replace(self.detections, track_ids=track_ids, class_ids=class_ids, missing=missing)
