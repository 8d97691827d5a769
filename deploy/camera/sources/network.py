"""Cameras of the network: RTSP, and HTTP with JPEGs or whatever else FFmpeg reads."""

import time

from fusedet.deploy.camera.sources.address import Address
from fusedet.deploy.camera.sources.device import CameraError, VideoConnection
from fusedet.deploy.camera.sources.ffmpeg import open_address, silent_s
from fusedet.deploy.camera.sources.probe import LoginError, why_no_video
from fusedet.deploy.camera.sources.settings import SourceSettings

__all__ = ["NetworkCamera"]

_LONGEST_PROBE_S = 2.0
#: A camera locks out who comes too often with a wrong password.
_REFUSED_RETRY_S = 30.0


class NetworkCamera:
    """A :class:`~fusedet.deploy.camera.sources.device.Device` at an address."""

    def __init__(self, address: Address, settings: SourceSettings) -> None:
        """Opens nothing yet."""
        self.source = address.shown
        self.label = address.label
        self._address = address
        self._settings = settings
        self._was_refused = False

    def open(self) -> VideoConnection:
        """Opens the stream within ``timeout_s``, and otherwise finds out why it cannot be.

        Raises:
            CameraError: it cannot be opened now.
        """
        start = time.monotonic()
        capture = open_address(self._address.url, self._settings)
        if capture.isOpened():
            self._was_refused = False
            return VideoConnection(capture, silent_s(self._settings))
        capture.release()
        waited = time.monotonic() - start
        error = why_no_video(self._address, min(_LONGEST_PROBE_S, self._settings.timeout_s))
        if waited >= silent_s(self._settings) and isinstance(error, LoginError):
            error = CameraError(f"gives no video within {waited:.1f} s")  # it was silent, and is not any more
        is_refused = isinstance(error, LoginError)
        if is_refused and self._was_refused:  # twice, because once may be a camera that is just starting
            error.retry_s = _REFUSED_RETRY_S
        self._was_refused = is_refused
        raise error
