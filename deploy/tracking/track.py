"""One object that is followed: where it is, what it is, and whether it stands still."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.detections import NO_TRACK
from fusedet.deploy.tracking.motion import Motion

#: An object stands still that was for so long within so much of its box's size around one place.
_STILL_AFTER_S, _STILL_WITHIN = 2.0, 0.15
#: Boxes tremble: where an object rests is their mean over about so long.
_MEAN_S = 1.0


@dataclass
class Track:
    """One object."""

    motion: Motion
    seen_s: float  # when it was last seen
    #: 1, 2, 3, ... once it has been seen twice, or in the first image; before that :data:`NO_TRACK`.
    number: int = NO_TRACK
    lost: bool = False  # whether it was missing in the last image
    votes: dict[int, float] = field(default_factory=dict)  # class -> sum of the scores with which it was seen as that

    def __post_init__(self) -> None:
        self._place = self._anchor = self.motion.box
        self._anchored_s, self._sightings = self.seen_s, 1

    @property
    def class_id(self) -> int:
        """What it was seen as most, by scores."""
        return max(self.votes, key=self.votes.__getitem__)

    @property
    def still(self) -> bool:
        """Whether it stood still when it was last seen."""
        return self.seen_s - self._anchored_s >= _STILL_AFTER_S

    @property
    def box(self) -> NDArray[np.float64]:
        """xyxy ``[4]``: where it should be now; what stands still and is missed, is where it was."""
        return self._place if self.lost and self.still else self.motion.box

    def predict(self, steps: float) -> None:
        """Moves on by so many intervals."""
        if not (self.lost and self.still):
            self.motion.predict(steps)

    def vote(self, class_id: int, score: float) -> None:
        """It was seen as this."""
        self.votes[class_id] = self.votes.get(class_id, 0.0) + score

    def see(self, box_xyxy: NDArray[np.float32], now_s: float) -> None:
        """It was found there."""
        self.motion.correct(box_xyxy)
        self._sightings += 1
        weight = max(1 / self._sightings, 1 - math.exp((self.seen_s - now_s) / _MEAN_S))
        self._place = self._place + weight * (box_xyxy - self._place)
        left, top, right, bottom = self._anchor.tolist()
        shift = np.abs(self._place - self._anchor).reshape(2, 2).mean(0)
        if shift[0] > _STILL_WITHIN * (right - left) or shift[1] > _STILL_WITHIN * (bottom - top):
            self._anchor, self._anchored_s = self._place, now_s
        self.seen_s, self.lost = now_s, False
