"""Results to write, without a network or a camera."""

import uuid
from typing import Any

import numpy as np

from fusedet.deploy import Detections, Timings
from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sources import Frame
from tests.deploy.conftest import draw_image

FOUND = Detections(
    np.array([[1.234567, 2, 30.5, 40]], np.float32), np.array([0.87654], np.float32), np.array([1]), ("cat", "Löwe")
)
NOTHING = Detections.empty(("cat", "Löwe"))
#: 22 November 2025, 10:20:30 UTC.
TAKEN_AT = 1763806830.25


def make_frame(
    name: str = "a.png",
    index: int = 0,
    time_s: float | None = None,
    size_hw: tuple[int, int] = (96, 128),
    taken_at: float = TAKEN_AT,
) -> Frame:
    image = draw_image((16, 32, 80, 64), size_hw=size_hw)
    return Frame(image, f"/photos/{name}", name, index, time_s, captured_s=100.0, taken_at=taken_at)


def make_result(
    frame: Frame | None = None,
    found: Detections = FOUND,
    camera: str = "door",
    events: tuple[Event, ...] = (),
    counts: Any = None,
) -> Result:
    return Result(camera, frame or make_frame(), found, events, Timings(1.0, 2.0, 3.0), 100.05, counts or {})


def make_event(number: int = 0, camera: str = "door", **fields: Any) -> Event:
    """An event whose track is ``number``."""
    usual: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "kind": "enter",
        "camera": camera,
        "place": "step",
        "track": number,
        "label": "Löwe",
        "score": 0.87654,
        "box_xyxy": (1.234567, 2.0, 30.5, 40.0),
        "direction": None,
        "inside_s": None,
        "frame": number,
        "time": TAKEN_AT,
    }
    return Event(**{**usual, **fields})
