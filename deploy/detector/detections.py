"""What a detector found in one image, and what every detector has in common."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

#: In the place of a track's number: seen once only, or with too low a score to begin a track.
NO_TRACK = -1


@dataclass(frozen=True, repr=False)
class Detections:
    """Boxes found in one image, highest score first.

    Attributes:
        boxes_xyxy: float32 ``[N, 4]``: left, top, right, bottom in pixels of the image that was given.
        scores: float32 ``[N]`` in (0, 1).
        class_ids: int64 ``[N]``: index into ``names``.
        names: the class names of the detector, not one a box.
        track_ids: int64 ``[N]``: the number of the track that a box belongs to, :data:`NO_TRACK` where it belongs to
            none; None where nothing was tracked.
        missing: the numbers of tracks that go on, but have no box in this image.

    Raises:
        ValueError: an array has another shape than stated here, or a class id has no name.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    names: tuple[str, ...]
    track_ids: NDArray[np.int64] | None = None
    missing: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.boxes_xyxy.ndim != 2 or self.boxes_xyxy.shape[1] != 4:
            raise ValueError(f"boxes_xyxy must have shape (N, 4), but got {self.boxes_xyxy.shape}")
        count = len(self.boxes_xyxy)
        if self.scores.shape != (count,) or self.class_ids.shape != (count,):
            raise ValueError(
                f"{count} boxes need scores and class_ids of shape ({count},), "
                f"but got {self.scores.shape} and {self.class_ids.shape}"
            )
        if self.track_ids is not None and self.track_ids.shape != (count,):
            raise ValueError(f"{count} boxes need track_ids of shape ({count},), but got {self.track_ids.shape}")
        if count and not 0 <= int(self.class_ids.min()) <= int(self.class_ids.max()) < len(self.names):
            raise ValueError(f"class_ids must be in 0..{len(self.names) - 1}, but got {np.unique(self.class_ids)}")

    def __repr__(self) -> str:
        """Such as ``Detections(3: 2 person, 1 dog)``, the most frequent first, and not the names of all classes."""
        found = ", ".join(f"{number} {name}" for name, number in Counter(self.labels).most_common())
        return f"Detections({len(self)}{f': {found}' if found else ''})"

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def __getitem__(self, index: "slice | NDArray[np.bool_] | NDArray[np.intp]") -> "Detections":
        """The detections at ``index``: a slice, a boolean mask or positions."""
        track_ids = None if self.track_ids is None else self.track_ids[index]
        boxes, scores, class_ids = self.boxes_xyxy[index], self.scores[index], self.class_ids[index]
        return Detections(boxes, scores, class_ids, self.names, track_ids, self.missing)

    @property
    def labels(self) -> list[str]:
        """The class name of each box."""
        return [self.names[i] for i in self.class_ids]

    @classmethod
    def empty(cls, names: tuple[str, ...]) -> "Detections":
        """No detection at all."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), names)


class Predictor(Protocol):
    """Anything that finds objects in images: a network in torch, an exported file, several detectors together."""

    @property
    def names(self) -> tuple[str, ...]:
        """Class names; a class id is an index into them."""
        ...

    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections in each image, in its own pixels."""
        ...
