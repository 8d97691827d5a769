"""Cameras of the network: RTSP, and HTTP with JPEGs or whatever else FFmpeg reads."""

import time
import urllib.error
from functools import partial

from fusedet.deploy.camera.sources.address import Address
from fusedet.deploy.camera.sources.attached.device import CameraError, Connection, VideoConnection
from fusedet.deploy.camera.sources.ffmpeg import open_address, silent_s, user_sets_options
from fusedet.deploy.camera.sources.http.connection import ImagesConnection, gives_images
from fusedet.deploy.camera.sources.http.request import NO_ANSWER, ask
from fusedet.deploy.camera.sources.probe import LoginError, refusal, why_no_video
from fusedet.deploy.camera.sources.settings import SourceSettings

_LONGEST_PROBE_S = 2.0
#: A camera locks out who comes too often with a wrong password.
_REFUSED_RETRY_S = 30.0


class NetworkCamera:
    """A :class:`~fusedet.deploy.camera.sources.attached.device.Device` at an address."""

    def __init__(self, address: Address, settings: SourceSettings) -> None:
        self.source = address.shown
        self.label = address.label
        self._address = address
        self._settings = settings
        self._was_refused = False

    def open(self) -> Connection:
        """Opens the stream within ``timeout_s``.

        Raises:
            CameraError: it cannot be opened now, and why.
        """
        start = time.monotonic()
        connection: Connection | None = None
        error: CameraError | None = None
        if self._may_be_images():
            connection, error = self._try_images()
        if connection is None and error is None:
            capture = open_address(self._address.url, self._settings)
            if capture.isOpened():
                connection = VideoConnection(capture, silent_s(self._settings))
            else:
                capture.release()
        if connection is not None:
            self._was_refused = False
            return connection
        waited = time.monotonic() - start
        if error is None:
            error = why_no_video(self._address, min(_LONGEST_PROBE_S, self._settings.timeout_s))
        if waited >= silent_s(self._settings) and isinstance(error, LoginError):
            error = CameraError(f"gives no video within {waited:.1f} s")  # it was silent, and is not any more
        is_refused = isinstance(error, LoginError)
        if is_refused and self._was_refused:  # twice, because once may be a camera that is just starting
            error.retry_s = _REFUSED_RETRY_S
        self._was_refused = is_refused
        raise error

    def _may_be_images(self) -> bool:
        """FFmpeg reads JPEGs as well, but ends at the first broken one; whoever sets its options wants it to read."""
        return self._address.parts.scheme.startswith("http") and not user_sets_options()

    def _try_images(self) -> tuple[ImagesConnection | None, CameraError | None]:
        """The connection of a camera that gives JPEGs over HTTP, or why none is possible; neither of other streams."""
        ask_again = partial(ask, self._address, silent_s(self._settings))
        try:
            answer = ask_again()
        except urllib.error.HTTPError as error:
            return None, refusal(self._address, error.code)
        except NO_ANSWER:
            return None, why_no_video(self._address, min(_LONGEST_PROBE_S, self._settings.timeout_s))
        if gives_images(answer):
            return ImagesConnection(answer, ask_again, self._settings), None
        answer.close()
        return None, None
