"""A pipeline in memory: what the page's tests look at."""

import threading
import time
from collections import Counter, deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sources import Frame
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.detector import Timings

Image = NDArray[np.uint8]
NAMES = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "traffic light", "cat", "dog", "backpack")


class MemoryMonitor:
    """What the page sees of a pipeline: it shows what it is given.

    Attributes:
        score: what ``set_score`` set last; ``classes`` likewise.
        trouble: why it is not healthy; None: it is.
        cameras: name -> the status of each.
        changed: notified of every change.
    """

    def __init__(self, cameras: tuple[str, ...] = ("door",)) -> None:
        self.score, self.classes, self.trouble = 0.25, None, None  # type: tuple[float, list[str] | None, str | None]
        self.names: tuple[str, ...] = NAMES
        self.cameras = {name: _camera_status() for name in cameras}
        self.sinks: dict[str, Any] = {"events": {"written": 3, "dropped": 0, "waiting": 0, "error": None}}
        self.changed = threading.Condition()
        self.set_places_error: str | None = None
        self._latest: dict[str, Result | None] = dict.fromkeys(cameras)
        self._places = {name: Places() for name in cameras}
        self._events: deque[tuple[Event, bytes]] = deque(maxlen=50)
        self._started_s = time.monotonic()

    def show(self, camera: str, image: Image, detections: Detections | None = None, index: int = 0) -> Result:
        """One more frame."""
        found = Detections.empty(self.names) if detections is None else detections
        keep = (found.scores >= self.score) & np.array(
            [self.classes is None or x in self.classes for x in found.labels], bool
        )
        found = found[keep]
        frame = Frame(image, "rtsp://user:secret@camera/stream", camera, index, None)
        result = Result(camera, frame, found, (), Timings(1.0, 30.0, 1.0), time.monotonic())
        with self.changed:
            self._latest[camera] = result
            about = self.cameras[camera]
            about["captured"] += 1
            about["processed"] += 1
            about["visible"] = dict(Counter(found.labels))
            self.changed.notify_all()
        return result

    def add_event(self, event: Event, image: Image) -> None:
        """One more event with its image."""
        _, data = cv2.imencode(".jpg", image)
        with self.changed:
            self._events.appendleft((event, data.tobytes()))

    def status(self) -> dict[str, Any]:
        with self.changed:
            return {
                "uptime_s": time.monotonic() - self._started_s,
                "memory_mb": 141.3,
                "cpu_share": 0.62,
                "model": {"name": "nano", "input_size": [320, 320], "names": list(self.names)},
                "score": self.score,
                "classes": self.classes,
                "cameras": {name: dict(about) for name, about in self.cameras.items()},
                "sinks": {name: dict(about) for name, about in self.sinks.items()},
            }

    def healthy(self) -> tuple[bool, str]:
        return self.trouble is None, self.trouble or "all cameras deliver"

    def latest(self, camera: str) -> Result | None:
        with self.changed:
            return self._latest[camera]

    def wait_for_newer(self, camera: str, than: Result | None, timeout_s: float) -> Result | None:
        with self.changed:
            self.changed.wait_for(lambda: self._latest[camera] is not than, timeout_s)  # never back to None
            result = self._latest[camera]
            return None if result is than else result

    def recent_events(self) -> list[tuple[Event, bytes]]:
        with self.changed:
            return list(self._events)

    def set_score(self, score: float) -> None:
        if not 0 <= score <= 1:
            raise InputError(f"score must be in 0..1, but got {score}")
        with self.changed:
            self.score = score
            self.changed.notify_all()

    def set_classes(self, classes: list[str] | None) -> None:
        if classes is not None and set(classes) - set(self.names):
            raise InputError("the model has no such class")
        with self.changed:
            self.classes = classes
            self.changed.notify_all()

    def places(self, camera: str) -> Places:
        with self.changed:
            return self._places[camera]

    def set_places(self, camera: str, places: Places) -> None:
        if self.set_places_error is not None:
            raise InputError(self.set_places_error)
        with self.changed:
            self._places[camera] = places
            self.changed.notify_all()


def _camera_status() -> dict[str, Any]:
    times = {"p50": 31.4, "p95": 38.0, "p99": 44.2}
    return {
        "state": "running",
        "error": None,
        "captured": 0,
        "processed": 0,
        "dropped": 0,
        "failed": 0,
        "reconnects": 0,
        "fps": 15.0,
        "inference_ms": times,
        "age_ms": {"p50": 48.0, "p95": 71.5, "p99": 90.1},
        "visible": {},
        "places": {},
    }
