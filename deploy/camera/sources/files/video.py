"""A video file, as fast as its frames are taken or at its own speed, once or again and again."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.common.text import counted
from fusedet.common.throttled_log import ThrottledLog
from fusedet.deploy.camera.sources.attached.device import rate_of
from fusedet.deploy.camera.sources.clock import FrameClock
from fusedet.deploy.camera.sources.files.ends import exact_duration_s, is_cut_off
from fusedet.deploy.camera.sources.frame import Frame, SourceHealth
from fusedet.deploy.camera.sources.settings import SourceSettings
from fusedet.deploy.detector.opencv import cv2

#: An end that comes earlier than the container says by more is one that could not be read.
_LATE_END_S = 1.0
#: A container that does not know the number of its frames tells one that is negative or beyond all measure.
_MOST_FRAMES = 1e12

_log = logging.getLogger(__name__)


class Video:
    """The frames of a video that has an end.

    ``unreadable`` counts frames that its file says it has, but that could not be read; it is known at the end.
    """

    live = False

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
        self.unreadable = 0
        self._open_capture = open_capture
        self._source = source
        self._name = name
        self._settings = settings
        self._trouble = ThrottledLog(_log)
        self._error: str | None = None
        self._waits = False
        self._closing = threading.Event()
        self._lock = threading.Lock()  # a capture that is released while it reads takes the process with it
        self._capture = open_capture()
        if not self._capture.isOpened():
            why = ": it is cut off, or was not finished" if path is not None and is_cut_off(path) else ""
            raise InputError(f"{source}: not a video that OpenCV can read{why}")
        self._rate = rate_of(self._capture)
        self.fps: float | None = self._rate
        self._first = self._read()
        if self._first is None:
            self._capture.release()
            raise InputError(f"{source}: it opens, but gives no image")

    @property
    def health(self) -> SourceHealth:
        """See :class:`~fusedet.deploy.camera.sources.frame.Source`. To wait for a frame's time is no failure."""
        return SourceHealth(error=self._error, alive_s=time.monotonic() if self._waits else -math.inf)

    def __iter__(self) -> Iterator[Frame]:
        """The frames; each one's time is that of its stamp. At the video's own speed it comes when that has passed."""
        index, found = 0, self._first
        self._first = None
        start_s, clock = time.monotonic(), FrameClock(1 / self._rate)
        seen = _Seen(self._rate)
        while found is not None:
            image, stamp_s = found
            seen.add(stamp_s)
            time_s = clock.at(stamp_s)
            if self._settings.pace and self._wait(start_s + time_s - time.monotonic()):
                return
            yield Frame(image, self._source, self._name, index, time_s)
            index += 1
            found = self._read()
            if found is None and not self._closing.is_set():
                self._check_end(seen)
                if self._settings.loop:
                    clock.begin_again(1 / self._rate)
                    seen = _Seen(self._rate)
                    ended_s = time.monotonic()
                    found = self._begin_again()
                    start_s += time.monotonic() - ended_s  # no frame is late because the file was slow to open

    def close(self) -> None:
        """Gives the file back, and wakes up whoever waits for the next frame."""
        self._closing.set()
        with self._lock:
            self._capture.release()

    def _wait(self, seconds: float) -> bool:
        """Waits for the time of a frame; True where it was closed meanwhile."""
        self._waits = True
        try:
            return self._closing.wait(max(0.0, seconds))
        finally:
            self._waits = False

    def _check_end(self, seen: "_Seen") -> None:
        """Counts and tells what is missing."""
        with self._lock:
            told = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        path = next((path for path in self.files if path.is_file()), None)
        missing = 0
        if is_cut := path is not None and is_cut_off(path):
            missing = max(1, seen.fewer_than(told))
        elif path is not None and (duration_s := exact_duration_s(path)) is not None:
            missing = seen.missing(told, duration_s)
        if missing:
            self.unreadable += missing
            self._error = f"{'is cut off: ' if is_cut else ''}{counted(missing, 'frame')} could not be read"
            self._trouble.warning("end", f"{self._source}: {self._error}")

    def _read(self) -> tuple[NDArray[np.uint8], float] | None:
        """The next image and its time stamp in seconds; None at the end."""
        with self._lock:
            there, image = (False, None) if self._closing.is_set() else self._capture.read()
            stamp_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000 if there else 0.0
        if not there:
            return None
        return np.asarray(image, np.uint8), stamp_s

    def _begin_again(self) -> tuple[NDArray[np.uint8], float] | None:
        """Opens the video anew, because not every one can be wound back, and reads its first frame."""
        with self._lock:
            if self._closing.is_set():
                return None
            self._capture.release()
            self._capture = self._open_capture()
        return self._read()


class _Seen:
    """The frames that were read of a video, and what is missing between and after them."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._count = self._between = 0
        self._first_s = self._last_s = 0.0

    def add(self, stamp_s: float) -> None:
        """One more frame."""
        if not self._count:
            self._first_s = self._last_s = stamp_s
        step_s = stamp_s - self._last_s
        self._between += max(0, round(step_s * self._rate) - 1) if math.isfinite(step_s) else 0
        self._last_s = max(self._last_s, stamp_s)
        self._count += 1

    def fewer_than(self, told: float) -> int:
        """Frames that were read less than ``told``, which may be a number that cannot be true."""
        return round(told) - self._count if self._count < told < _MOST_FRAMES else 0

    def missing(self, told: float, duration_s: float) -> int:
        """Frames that were not read of those that were ``told``.

        Only where the stamps leave room for them, between the others or at the end: whoever edits a video hides some.
        """
        after_s = duration_s - (self._last_s - self._first_s) - 1 / self._rate
        return self.fewer_than(told) if after_s > _LATE_END_S else min(self.fewer_than(told), self._between)
