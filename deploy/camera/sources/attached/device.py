"""What can be opened again and again: a camera or an address."""

import math
import time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.opencv import cv2

#: Assumed where a camera or a video does not tell its rate.
USUAL_FPS = 25.0

#: After a broken image the next one can be read; a stream whose reads fail so often in a row has ended.
_MOST_FAILURES = 3
#: A read that fails later has waited for a camera that is silent.
_AT_ONCE_S = 1.0


class CameraError(Exception):
    """No images come, and why, in a few words that may follow the camera's name. There is no secret in it."""

    def __init__(self, reason: str, retry_s: float | None = None) -> None:
        """``retry_s``: when to try again at the earliest, where that should be later than usual."""
        super().__init__(reason)
        self.retry_s = retry_s


class Connection(Protocol):
    """A camera that is open."""

    fps: float  # frames in a second, as the camera says
    unreadable: int  # images that came and could not be read, so far; they are left out

    def read(self) -> NDArray[np.uint8]:
        """Waits for the next image, uint8 ``[H, W, 3]`` in BGR; that there will be none is a ``CameraError``."""
        ...

    def close(self) -> None:
        """Gives the camera back."""
        ...


class Device(Protocol):
    """A camera that can be opened."""

    source: str  # what the user named, without user names, passwords and tokens
    label: str  # a short name, fit for a folder

    def open(self) -> Connection:
        """Opens it; that it cannot be opened now is a ``CameraError``."""
        ...


class VideoConnection:
    """A ``cv2.VideoCapture`` as a :class:`Connection`."""

    def __init__(self, capture: Any, silent_s: float = math.inf) -> None:
        """Takes an opened capture. A read that takes ``silent_s`` seconds has failed, whatever it brings.

        After FFmpeg's timeout a read may still succeed, with a frame that had waited in the decoder, and the next one
        waits for the whole timeout again.
        """
        self.fps = rate_of(capture)
        self.unreadable = 0
        self._capture = capture
        self._silent_s = silent_s
        self._gave = False

    def read(self) -> NDArray[np.uint8]:
        """See :class:`Connection`. What ``isOpened()`` says is no help: it stays true when a stream has died."""
        failures = 0
        while True:
            start = time.monotonic()
            try:
                there, image = self._capture.read()
            except cv2.error as error:
                raise CameraError(f"OpenCV cannot read it: {error.err}") from error
            waited = time.monotonic() - start
            if waited >= self._silent_s:
                raise CameraError(f"{'' if self._gave else 'opens, but '}is silent for {waited:.1f} s")
            if there:
                self._gave = True
                self.unreadable += failures
                return np.asarray(image, np.uint8)
            failures += 1
            if failures >= _MOST_FAILURES or waited > _AT_ONCE_S:
                raise CameraError("gives no more images" if self._gave else "opens, but gives no image")

    def close(self) -> None:
        """See :class:`Connection`."""
        self._capture.release()


def rate_of(capture: Any) -> float:
    """Frames in a second of a ``cv2.VideoCapture``, or the usual where it tells none that can be true."""
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    return rate if math.isfinite(rate) and 0 < rate <= 1000 else USUAL_FPS
