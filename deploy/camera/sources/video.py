"""A video file, as fast as its frames are taken or at its own speed, once or again and again."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources.device import rate_of
from fusedet.deploy.camera.sources.frame import Frame, SourceHealth
from fusedet.deploy.camera.sources.settings import SourceSettings
from fusedet.deploy.detector.opencv import cv2

__all__ = ["VIDEO_SUFFIXES", "Video"]

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)


class Video:
    """The frames of a video that has an end.

    Attributes:
        live: False: it ends by itself, unless it is to begin again.
        drops: it is played at its own speed.
    """

    live = False
    unreadable = 0
    health = SourceHealth()

    def __init__(
        self, open_capture: Callable[[], Any], source: str, name: str, path: Path | None, settings: SourceSettings
    ) -> None:
        """Opens the video and reads its first frame.

        Args:
            open_capture: gives a ``cv2.VideoCapture`` at the first frame, opened or not.
            source: what may be shown of where it is from.
            name: of the file.
            path: of the file, if it lies on this machine.
            settings: ``pace`` and ``loop`` of them.

        Raises:
            InputError: it is no video.
        """
        self.label = Path(name).stem
        self.drops = settings.pace
        self.files: tuple[Path, ...] = () if path is None else (path,)
        self._open_capture = open_capture
        self._source = source
        self._name = name
        self._settings = settings
        self._closing = threading.Event()
        self._lock = threading.Lock()  # a capture that is released while it reads takes the process with it
        self._capture = open_capture()
        if not self._capture.isOpened():
            raise InputError(f"{source}: not a video that OpenCV can read")
        self._rate = rate_of(self._capture)
        self.fps: float | None = self._rate
        self._first = self._read()
        if self._first is None:
            self._capture.release()
            raise InputError(f"{source}: it opens, but gives no image")

    def __iter__(self) -> Iterator[Frame]:
        """The frames.

        As fast as they are taken, a frame's time is its index over the nominal rate. At the video's own speed it is
        that of its time stamp, and the frame comes when that much time has passed since the first one.
        """
        index, found = 0, self._first
        self._first = None
        start_s = time.monotonic()
        time_s = began_s = 0.0  # the frame's, and that of the first one since the video began again
        while found is not None:
            image, stamp_s = found
            if self._settings.pace:
                time_s = max(time_s, began_s + stamp_s)
                if self._closing.wait(max(0.0, start_s + time_s - time.monotonic())):
                    return
            else:
                time_s = index / self._rate
            yield Frame(image, self._source, self._name, index, time_s)
            index += 1
            found = self._read()
            if found is None and self._settings.loop:
                began_s = time_s + 1 / self._rate
                found = self._begin_again()

    def close(self) -> None:
        """Gives the file back, and wakes up whoever waits for the next frame."""
        self._closing.set()
        with self._lock:
            self._capture.release()

    def _read(self) -> tuple[NDArray[np.uint8], float] | None:
        """The next image and its time stamp in seconds; None at the end."""
        with self._lock:
            there, image = (False, None) if self._closing.is_set() else self._capture.read()
            stamp_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000 if there else 0.0
        if not there:
            return None
        return np.asarray(image, np.uint8), stamp_s if math.isfinite(stamp_s) else 0.0

    def _begin_again(self) -> tuple[NDArray[np.uint8], float] | None:
        """Opens the video anew, because not every one can be wound back, and reads its first frame."""
        with self._lock:
            if self._closing.is_set():
                return None
            self._capture.release()
            self._capture = self._open_capture()
        return self._read()
