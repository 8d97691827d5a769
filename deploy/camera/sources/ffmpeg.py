"""Opens addresses with OpenCV's FFmpeg."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fusedet.deploy.camera.sources.settings import SourceSettings
from fusedet.deploy.detector.opencv import cv2, name_for_opencv

_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_FFMPEG_SHARE = 0.9

# While OpenCV opens one address or file with FFmpeg, it lets no other be opened: a camera that does not answer would
# hold back all others, and every recording, for its whole timeout. FFmpeg has needed no such lock since its version 4.
os.environ.setdefault("OPENCV_FFMPEG_IS_THREAD_SAFE", "1")


def silent_s(settings: SourceSettings) -> float:
    """FFmpeg's limit, a little below ``timeout_s``: it looks at the clock only every tenth of a second."""
    return settings.timeout_s * _FFMPEG_SHARE


def open_address(url: str, settings: SourceSettings) -> Any:
    """A ``cv2.VideoCapture`` of ``url``, opened or not, within ``timeout_s``."""
    limit_ms = round(silent_s(settings) * 1000)
    parameters = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms),
        # Each further thread of a decoder holds back one more frame.
        *(cv2.CAP_PROP_N_THREADS, 1),
    ]
    # To count frames until the rate is sure takes FFmpeg more than a second of every opening.
    with _options.hold(f"rtsp_transport;{settings.transport}|fpsprobesize;0"):
        return cv2.VideoCapture(name_for_opencv(url), cv2.CAP_FFMPEG, parameters)


class _Options:
    """The environment variable in which alone OpenCV takes options for FFmpeg; it reads them when it opens.

    It is the whole process's. So those who want the same value share it, whoever wants another waits until they have
    opened, and what was there before is put back. A value that the user has set stays, for everybody.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()  # entered in turn: who waits behind it for another value is not overtaken
        self._condition = threading.Condition()
        self._value = ""
        self._holders = 0
        self._is_ours = False

    def are_the_users(self) -> bool:
        """Whether the user has set options for FFmpeg, such as a header that the camera wants."""
        with self._condition:
            return _VARIABLE in os.environ and not self._is_ours

    @contextmanager
    def hold(self, value: str) -> Iterator[None]:
        """The variable has ``value`` meanwhile."""
        with self._gate, self._condition:
            self._condition.wait_for(lambda: not self._holders or self._value == value)
            if not self._holders:
                self._value = value
                self._is_ours = _VARIABLE not in os.environ
            if self._is_ours:
                os.environ[_VARIABLE] = value
            self._holders += 1
        try:
            yield
        finally:
            with self._condition:
                self._holders -= 1
                if not self._holders and self._is_ours:
                    del os.environ[_VARIABLE]
                    self._is_ours = False
                self._condition.notify_all()


_options = _Options()
user_sets_options = _options.are_the_users
