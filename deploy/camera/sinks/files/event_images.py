"""An image of each event."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.common.atomic import remove_parts, write_bytes
from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.annotation import image_with_zones
from fusedet.deploy.camera.sinks.base import Sink
from fusedet.deploy.camera.sinks.files.folders import make_folder, safe_name, time_stamp
from fusedet.deploy.camera.sinks.files.retention import STAMP, Retention, RetentionLimits
from fusedet.deploy.drawing.draw import class_color, draw_boxes
from fusedet.deploy.drawing.thumbnail import to_jpeg

_JPEG_QUALITY = 90
#: Number of the colour of an event's box.
_COLORS = {"enter": 2, "leave": 1, "dwell": 3, "cross": 0}
_PATTERN = rf"{STAMP}_.+_[0-9a-f]{{8}}\.jpg"


class EventImages(Sink):
    """A JPEG of each event with box, zones and lines: ``20251122T102030.250Z_door_enter_step_0f3a9c51.jpg``.

    The name is the time of the event (UTC), its camera, kind and place, and the beginning of its id.
    """

    events_only = True

    def __init__(self, folder: Path, limits: RetentionLimits) -> None:
        """Writes into ``folder``, which is made, and removes its own images from there that ``limits`` do not allow.

        Raises:
            InputError: the folder cannot be made.
        """
        make_folder(folder)
        self._folder = folder
        remove_parts(folder)
        self._retention = Retention(folder, _PATTERN, limits)

    def write(self, result: Result) -> None:
        """Writes an image of each of the result's events."""
        self._retention.make_room()
        image = image_with_zones(result)
        for event in result.events:
            path = self._folder / _name(event)
            write_bytes(path, to_jpeg(_drawn(image, event), _JPEG_QUALITY), sync=False)
            self._retention.add(path)

    def tend(self) -> None:
        """Removes images that have become too old."""
        self._retention.tend()


def _name(event: Event) -> str:
    kind = f"{event.kind}-{event.direction}" if event.direction else event.kind
    words = (safe_name(event.camera), kind, safe_name(event.place), safe_name(event.id)[:8])
    return f"{time_stamp(event.time)}_{'_'.join(words)}.jpg"


def _drawn(image_bgr: NDArray[np.uint8], event: Event) -> NDArray[np.uint8]:
    """A copy of the image with the box of the object that did it, and what it did."""
    did = f"{event.kind} {event.direction}" if event.direction else event.kind
    stayed = "" if event.inside_s is None else f" after {event.inside_s:.1f} s"
    text = f"#{event.track} {event.label}: {did} {event.place}{stayed}"
    box = np.asarray([event.box_xyxy], np.float32)
    return draw_boxes(image_bgr, box, [text], [class_color(_COLORS[event.kind])])
