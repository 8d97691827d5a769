"""Cameras at a Raspberry Pi's CSI connector, through picamera2."""

import concurrent.futures
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources.attached.device import CameraError
from fusedet.deploy.camera.sources.settings import SourceSettings

_NAME = re.compile(r"csi(?::(\d+))?")
#: Of picamera2's configuration for video.
_USUAL_FPS = 30.0
#: What picamera2 and libcamera raise: no such camera, a camera in use, a setting that it cannot do, no image in time.
_FAILURES = (IndexError, OSError, RuntimeError, ValueError, TimeoutError, concurrent.futures.TimeoutError)


def is_csi(text: str) -> bool:
    """``text`` names such a camera: ``csi`` or ``csi:N``."""
    return _NAME.fullmatch(text) is not None


class CsiCamera:
    """A :class:`~fusedet.deploy.camera.sources.attached.device.Device` at a CSI connector."""

    def __init__(self, text: str, settings: SourceSettings) -> None:
        """``text``: ``csi`` for the first, or ``csi:N``.

        Raises:
            InputError: picamera2 is missing.
        """
        name = _NAME.fullmatch(text)
        assert name is not None
        self._number = int(name[1] or 0)
        self.source = text
        self.label = f"csi-{self._number}"
        self._settings = settings
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise InputError(
                f"{text}: needs picamera2, but it cannot be imported ({error}): on Raspberry Pi OS, sudo apt install "
                "python3-picamera2, and make the virtual environment with --system-site-packages"
            ) from error
        self._picamera2 = Picamera2

    def open(self) -> "_CsiConnection":
        """Starts the camera; that there is none, or that it is in use, is a ``CameraError``."""
        try:
            camera = self._picamera2(self._number)
        except _FAILURES as error:
            raise CameraError(f"picamera2 cannot open it: {error}") from error
        try:
            self._start(camera)
        except _FAILURES as error:
            camera.close()
            raise CameraError(f"picamera2 cannot start it: {error}") from error
        return _CsiConnection(camera, self._settings)

    def _start(self, camera: Any) -> None:
        settings = self._settings
        main: dict[str, Any] = {"format": "RGB888"}  # named after the order of bits: the bytes are B, G, R
        if settings.width is not None and settings.height is not None:
            main["size"] = (settings.width, settings.height)
        controls = {} if settings.fps is None else {"FrameRate": settings.fps}
        camera.configure(camera.create_video_configuration(main=main, controls=controls))
        camera.start()


class _CsiConnection:
    def __init__(self, camera: Any, settings: SourceSettings) -> None:
        self.fps = settings.fps or _USUAL_FPS
        self.unreadable = 0
        self._camera = camera
        self._timeout_s = settings.timeout_s

    def read(self) -> NDArray[np.uint8]:
        try:
            return np.ascontiguousarray(self._camera.capture_array("main", wait=self._timeout_s))
        except (TimeoutError, concurrent.futures.TimeoutError) as error:
            raise CameraError(f"is silent for {self._timeout_s:g} s") from error
        except _FAILURES as error:
            raise CameraError(f"picamera2 cannot read it: {error}") from error

    def close(self) -> None:
        try:
            self._camera.stop()
        finally:
            self._camera.close()
