"""An image of each event."""

from pathlib import Path

from fusedet.common.atomic import remove_parts, write_bytes
from fusedet.deploy.camera.events.draw_event import draw_event
from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.annotation import image_with_zones
from fusedet.deploy.camera.sinks.base import Sink
from fusedet.deploy.camera.sinks.files.folders import make_folder, safe_name, time_stamp
from fusedet.deploy.camera.sinks.files.retention import STAMP, Retention, RetentionLimits
from fusedet.deploy.detector.opencv import cv2

_JPEG_QUALITY = 90
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
            _, data = cv2.imencode(".jpg", draw_event(image, event), (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
            path = self._folder / _name(event)
            write_bytes(path, data.tobytes(), sync=False)
            self._retention.add(path)

    def tend(self) -> None:
        """Removes images that have become too old."""
        self._retention.tend()


def _name(event: Event) -> str:
    kind = f"{event.kind}-{event.direction}" if event.direction else event.kind
    words = (safe_name(event.camera), kind, safe_name(event.place), safe_name(event.id)[:8])
    return f"{time_stamp(event.time)}_{'_'.join(words)}.jpg"
