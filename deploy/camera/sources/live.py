"""A camera or an address as a source that lives for months: read on a thread of its own, opened anew when it fails."""

import atexit
import logging
import math
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.common.throttled_log import ThrottledLog, Trouble
from fusedet.deploy.camera.sources.attached.device import USUAL_FPS, CameraError, Connection, Device
from fusedet.deploy.camera.sources.frame import Frame, SourceHealth
from fusedet.deploy.camera.sources.frozen import FrozenWatch
from fusedet.deploy.camera.sources.settings import SourceSettings

#: From the start of one attempt to the start of the next: the first wait, doubled up to the longest.
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 1.5
#: Beside ``timeout_s``: for finding out why an address gives nothing.
_REASON_S = 2.5
#: ``close`` waits so long for the thread. Where no image comes, it may stay in a call of OpenCV for a while longer.
_CLOSE_S = 1.0
_EXIT_S = 2.0

_log = logging.getLogger(__name__)


class LiveSource:
    """The newest image of a camera, again and again.

    A thread opens and reads the camera, because calls of OpenCV can neither be interrupted nor trusted to return in
    time. Its place for a frame holds one: a frame that nobody took before the next came is gone. Images that a camera
    gives beyond ``fps`` of the settings are left out before they count.

    A ``patient`` one opens the camera anew whenever it fails, for ever. Otherwise its first failure is the end.
    """

    live = True
    drops = True
    files: tuple[Path, ...] = ()

    def __init__(self, device: Device, settings: SourceSettings, patient: bool) -> None:
        """Starts to open ``device``, and returns at once."""
        self.label = device.label
        self.fps: float | None = settings.fps or USUAL_FPS
        self._device = device
        self._settings = settings
        self._patient = patient
        self._frozen = FrozenWatch(settings.frozen_s)
        self._condition = threading.Condition()  # for all that follows
        self._newest: Frame | None = None
        self._index = 0
        self._ended = False
        self._failure: BaseException | None = None
        self._health = SourceHealth(connected=False, error="is being opened")
        self.unreadable = 0
        self._trouble = ThrottledLog(_log)
        self._first_s = self._last_s = 0.0
        self._due_s = 0.0  # of the next image, where the rate is limited
        self._alive_s = time.monotonic()
        self._ran = False
        self._lost = Trouble(_log)
        self._size = (settings.width, settings.height)
        self._closing = threading.Event()
        self._done = threading.Event()  # waited for, because Thread.join believes in an end after a Ctrl-C in it
        _running.add(self)
        threading.Thread(target=self._run, name=f"capture {self.label}", daemon=True).start()

    @property
    def health(self) -> SourceHealth:
        """How it is now. Silence is told after ``timeout_s``, even if the call that reads does not return."""
        with self._condition:
            silent_s = time.monotonic() - self._last_s
            allowed_s = max(self._settings.timeout_s, 2 / (self.fps or USUAL_FPS))
            if self._health.connected and silent_s > allowed_s and not self._ended:
                return SourceHealth(False, self._health.reconnects, f"is silent for {silent_s:.0f} s", self._alive_s)
            return replace(self._health, alive_s=self._alive_s)

    def wait_for_first(self) -> None:
        """Waits for the first image; one that does not come in time is an ``InputError``, and the source is closed."""
        with self._condition:
            limit_s = self._settings.timeout_s + _REASON_S
            self._condition.wait_for(lambda: self._newest is not None or self._ended, limit_s)
            if self._newest is not None:
                return
            reason = self._health.error if self._ended else f"gives no image within {self._settings.timeout_s:g} s"
        self.close()
        if self._failure is not None:
            raise self._failure
        raise InputError(f"{self._device.source}: {reason}")

    def __iter__(self) -> Iterator[Frame]:
        """The newest frame each time, once it is there."""
        while True:
            with self._condition:
                # In turns, because some systems deliver no Ctrl-C to a thread that waits without an end.
                while not self._condition.wait_for(lambda: self._newest is not None or self._ended, 1.0):
                    pass
                frame, self._newest = self._newest, None
            if frame is None:
                break
            yield frame
        if self._failure is not None:
            raise self._failure

    def close(self, wait_s: float = _CLOSE_S) -> None:
        """Ends the iteration at once, and the thread as soon as OpenCV lets go of it; waits ``wait_s`` for that."""
        self._closing.set()
        with self._condition:
            self._newest = None
            self._ended = True
            self._condition.notify_all()
        self._done.wait(wait_s)

    def _run(self) -> None:
        try:
            self._open_and_read_for_ever()
        except BaseException as error:  # whoever iterates is to see it
            self._failure = error
        finally:
            with self._condition:
                self._ended = True
                self._condition.notify_all()
            self._done.set()

    def _open_and_read_for_ever(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._closing.is_set():
            self._alive_s = began_s = time.monotonic()
            began_at = self._index
            try:
                self._open_and_read()
            except CameraError as error:
                if self._closing.is_set():
                    return
                self._tell_lost(str(error))
                if not self._patient:
                    return
                if self._index > began_at:
                    wait_s = _FIRST_WAIT_S
                due_s = began_s + (error.retry_s or wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
                self._closing.wait(max(0.0, due_s - time.monotonic()))

    def _open_and_read(self) -> None:
        connection = self._device.open()
        try:
            image = self._read(connection)
            self._check_size(image)
            while not self._closing.is_set():
                if self._frozen.look(image, self._last_s):
                    raise CameraError(f"gives one and the same image for {self._settings.frozen_s:g} s")
                self._tell_running()
                if self._is_due():
                    self._put(image)
                image = self._read(connection)
        finally:
            connection.close()

    def _read(self, connection: Connection) -> NDArray[np.uint8]:
        before = connection.unreadable
        try:
            image = connection.read()
        finally:
            self._count_unreadable(connection.unreadable - before)
        self.fps = min(connection.fps, self._settings.fps or math.inf)
        with self._condition:
            self._alive_s = self._last_s = time.monotonic()
            self._first_s = self._first_s or self._last_s
        return image

    def _count_unreadable(self, count: int) -> None:
        if count:
            self.unreadable += count
            text = f"{self._device.source}: images that cannot be read are left out, {self.unreadable} so far"
            self._trouble.warning("unreadable", text)

    def _is_due(self) -> bool:
        """Whether the newest image is one of those that the limit of the rate lets through.

        Half an interval too early is in time, because cameras tremble; the rate is kept over several images.
        """
        if self._settings.fps is None:
            return True
        interval_s = 1 / self._settings.fps
        if self._last_s < self._due_s - interval_s / 2:
            return False
        if self._last_s > self._due_s + interval_s:
            self._due_s = self._last_s
        self._due_s += interval_s
        return True

    def _put(self, image: NDArray[np.uint8]) -> None:
        with self._condition:
            time_s = self._last_s - self._first_s
            if not self._closing.is_set():
                self._newest = Frame(image, self._device.source, self.label, self._index, time_s, self._last_s)
            self._index += 1
            self._condition.notify_all()

    def _check_size(self, image: NDArray[np.uint8]) -> None:
        height, width = image.shape[:2]
        asked = (self._settings.width or width, self._settings.height or height)
        if asked != (width, height) and self._size != (width, height):
            text = f"asked for {asked[0]}x{asked[1]}, but it gives {width}x{height}"
            self._trouble.warning("size", f"{self._device.source}: {text}")
            self._size = (width, height)

    def _tell_lost(self, reason: str) -> None:
        with self._condition:
            self._health = SourceHealth(False, self._health.reconnects, reason)
        if self._patient and not self._lost.is_told:
            self._lost.tell(f"{self._device.source}: {reason}; it is tried again until it runs")

    def _tell_running(self) -> None:
        if self._health.connected or self._frozen.frozen:
            return
        with self._condition:
            again = self._ran
            self._health = SourceHealth(True, self._health.reconnects + again)
        self._ran = True
        self._lost.over(f"{self._device.source}: runs{' again' if again else ''}")


#: A thread that comes back from OpenCV while Python takes itself down ends the process with an error. Those that read
#: come back soon, and are waited for; those that wait for a silent camera will hardly hit that moment.
_running: "weakref.WeakSet[LiveSource]" = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    sources = list(_running)
    for source in sources:
        source.close(wait_s=0)
    deadline = time.monotonic() + _EXIT_S
    for source in sources:
        with suppress(KeyboardInterrupt):  # an impatient user's second Ctrl-C
            source.close(wait_s=max(0.0, deadline - time.monotonic()))
