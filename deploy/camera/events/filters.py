"""Which detections of a camera count: scores, sizes and masked parts of the image, for each class."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fusedet.common.polygons import check_polygon
from fusedet.deploy.camera.events.geometry import Region, Size
from fusedet.deploy.camera.events.places import Point
from fusedet.deploy.detector.detections import Detections

#: The name of the filter of every class.
ALL = "all"


@dataclass(frozen=True)
class Filter:
    """What counts of a class.

    Raises:
        InputError: a mask is no polygon.
    """

    score: float | None = None  # score threshold in place of the camera's; None: that one
    min_area: float | None = None  # of a box, as a share of the image's area; None: any
    max_area: float | None = None  # likewise
    #: polygons; what has its feet, the middle of its box's lower side, in one of them does not count
    masks: tuple[tuple[Point, ...], ...] = ()

    def __post_init__(self) -> None:
        for number, mask in enumerate(self.masks):
            check_polygon(mask, f"masks.{number}")

    def over(self, other: "Filter") -> "Filter":
        """This one, with what the other one says where it says nothing, and the masks of both."""
        return Filter(
            other.score if self.score is None else self.score,
            other.min_area if self.min_area is None else self.min_area,
            other.max_area if self.max_area is None else self.max_area,
            self.masks + other.masks,
        )


class Filters:
    """The filters of a camera: class name -> its filter; that of :data:`ALL` holds for every class, too.

    Without any, everything counts.
    """

    def __init__(self, by_class: Mapping[str, Filter] | None = None) -> None:
        self._by_class = dict(by_class or {})
        self._all = self._by_class.pop(ALL, Filter())
        self._by_class = {name: one.over(self._all) for name, one in self._by_class.items()}

    def thresholds(self, detections: Detections, score: float) -> NDArray[np.float32]:
        """The score threshold of each detection, float32 ``[N]``; ``score`` is that of classes without one."""
        own = [self._of(label).score for label in detections.labels]
        return np.array([score if one is None else one for one in own], np.float32)

    def lowest_score(self, score: float) -> float:
        """The least score threshold of any class; ``score`` is that of classes without one."""
        return min(score if one.score is None else one.score for one in (self._all, *self._by_class.values()))

    def apply(self, detections: Detections, size: Size) -> Detections:
        """Those of a size that counts and outside of all masks; ``size`` is the width and height of the image."""
        if self._all == Filter() and not self._by_class:
            return detections
        boxes = zip(detections.labels, detections.boxes_xyxy.tolist(), strict=True)
        return detections[np.array([self._counts(label, box, size) for label, box in boxes], bool)]

    def _of(self, label: str) -> Filter:
        return self._by_class.get(label, self._all)

    def _counts(self, label: str, box: list[float], size: Size) -> bool:
        one, (width, height), (left, top, right, bottom) = self._of(label), size, box
        area = (right - left) * (bottom - top) / (width * height)
        if not (one.min_area or 0.0) <= area <= (1.0 if one.max_area is None else one.max_area):
            return False
        feet = (min(max((left + right) / 2, 0.0), width), min(max(bottom, 0.0), height))
        return not any(_region(mask, size).contains(feet) for mask in one.masks)


@lru_cache(256)
def _region(mask: tuple[Point, ...], size: Size) -> Region:
    return Region(mask, size)
