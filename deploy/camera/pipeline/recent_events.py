"""The last events, each with a small image, for whoever looks."""

import threading
from collections import deque

import numpy as np

from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.annotation import image_with_zones
from fusedet.deploy.drawing.draw import draw_detections
from fusedet.deploy.drawing.thumbnail import shrunk, to_jpeg

_KEPT = 50
_WIDTH = 320
_QUALITY = 75


class RecentEvents:
    """Keeps the last events and a JPEG of each one's moment, with zones and lines, in memory: some 50 times 15 kB."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._lock = threading.Lock()
        self._events: deque[tuple[Event, bytes]] = deque(maxlen=kept)

    def add(self, result: Result) -> None:
        """The events of a result, with one image for all of them."""
        if not result.events:
            return
        image = _small_image(result)
        with self._lock:
            self._events.extend((event, image) for event in result.events)

    def newest_first(self) -> list[tuple[Event, bytes]]:
        """All that are kept."""
        with self._lock:
            return list(reversed(self._events))


def _small_image(result: Result) -> bytes:
    detections = result.detections
    if detections.track_ids is not None:
        detections = detections[np.isin(detections.track_ids, [event.track for event in result.events])]
    image = draw_detections(image_with_zones(result), detections)
    return to_jpeg(shrunk(image, _WIDTH / image.shape[1]), _QUALITY)
