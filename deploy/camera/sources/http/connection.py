"""A camera that gives JPEGs over HTTP, as a connection."""

import http.client
import time
import urllib.error
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.camera.sources.attached.device import USUAL_FPS, CameraError
from fusedet.deploy.camera.sources.http.jpeg import JpegStream, OneImage
from fusedet.deploy.camera.sources.http.request import NO_ANSWER
from fusedet.deploy.camera.sources.settings import SourceSettings
from fusedet.deploy.detector.opencv import cv2

#: Requests in a second, of a camera that gives one image for each.
_POLLS_PER_S = 1.0
_PIECE = 1 << 16
_SNIFFED = 3
_JPEG = ("image/jpeg", "image/jpg", "image/pjpeg")
#: Of HTTP's errors, those that do not pass by themselves.
_FINAL = (401, 403, 404)


def gives_images(answer: http.client.HTTPResponse) -> bool:
    """Whether the answer is a stream of JPEGs or a single image, as its type or its first bytes say."""
    if answer.headers.get_content_maintype() in ("multipart", "image"):
        return True
    with suppress(*NO_ANSWER):
        return answer.peek(_SNIFFED)[:_SNIFFED].startswith((b"\xff\xd8\xff", b"--"))
    return False


class ImagesConnection:
    """A stream of JPEGs, or a camera that gives one for each request and is asked again and again.

    Which of the two it is shows in the first answer: it ends after one image, or goes on. ``fps`` is how often a camera
    that gives single images is asked; of a stream, the usual. ``unreadable`` counts images and answers that were empty,
    cut off or broken.
    """

    def __init__(
        self,
        answer: http.client.HTTPResponse,
        ask_again: Callable[[], http.client.HTTPResponse],
        settings: SourceSettings,
    ) -> None:
        """Takes the first answer; ``ask_again`` gives the next one, of a camera that gives single images."""
        self.unreadable = 0
        self._take_answer(answer)
        self._ask_again = ask_again
        self._interval_s = 1 / (settings.fps or _POLLS_PER_S)
        self._timeout_s = settings.timeout_s
        self._asked_s = time.monotonic()
        kind = answer.headers.get_content_maintype()
        self._is_single = kind != "multipart"  # unless more than one comes
        self._polls = kind == "image" and answer.length is not None
        self.fps = 1 / self._interval_s if self._polls else USUAL_FPS

    def read(self) -> NDArray[np.uint8]:
        """See :class:`~fusedet.deploy.camera.sources.attached.device.Connection`."""
        start_s, before = time.monotonic(), self.unreadable
        while (end_s := start_s + self._timeout_s + 2 * self._polls * self._interval_s) > time.monotonic():
            data = self._next_image(end_s, before)
            if data is None:
                self._begin_next_answer()
                continue
            self._images += 1
            with suppress(cv2.error):  # for example more pixels than OpenCV accepts
                image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
                if image is not None:
                    return np.asarray(image, np.uint8)
            self.unreadable += 1
        raise self._nothing(before)

    def close(self) -> None:
        """See :class:`~fusedet.deploy.camera.sources.attached.device.Connection`."""
        if self._answer is not None:
            self._answer.close()

    def _nothing(self, before: int) -> CameraError:
        """Why no image has come in time, where ``before`` could not be read until then."""
        if self.unreadable > before:
            return CameraError("gives only images that cannot be read")
        return CameraError(f"is silent for {self._timeout_s:g} s")

    def _next_image(self, end_s: float, before: int) -> bytes | None:
        """The next whole image of the answer, or None at its end."""
        while time.monotonic() < end_s:
            if (image := self._take()) is not None:
                return image
            piece = self._piece()
            if not piece:
                self._stream.finish()
                return self._take()
            self._stream.put(piece)
        raise self._nothing(before)

    def _piece(self) -> bytes:
        """What has come of the answer; empty at its end."""
        if self._answer is None:
            return b""
        try:
            return self._answer.read1(_PIECE)
        except TimeoutError as error:
            raise CameraError(f"is silent for {self._timeout_s:g} s") from error
        except NO_ANSWER:  # it was broken off
            return b""

    def _take(self) -> bytes | None:
        image = self._stream.take()
        self.unreadable += self._stream.unreadable
        self._images += self._stream.unreadable
        self._stream.unreadable = 0
        return image

    def _take_answer(self, answer: http.client.HTTPResponse | None) -> None:
        kind = "" if answer is None else answer.headers.get_content_type()
        is_other = kind.startswith("image/") and kind not in _JPEG
        self._answer, self._images = answer, 0
        self._stream: JpegStream | OneImage = OneImage() if is_other else JpegStream()

    def _begin_next_answer(self) -> None:
        """Asks for the next image when it is time for that, where each answer holds one."""
        if not self._polls and not (self._is_single and self._images == 1):
            raise CameraError("gives no more images" if self._images else "opens, but gives no image")
        self.unreadable += not self._images
        self._polls, self.fps = True, 1 / self._interval_s
        self.close()
        time.sleep(max(0.0, self._asked_s + self._interval_s - time.monotonic()))
        self._asked_s = time.monotonic()
        try:
            self._take_answer(self._ask_again())
        except urllib.error.HTTPError as error:
            if error.code in _FINAL:
                raise CameraError(f"answers with the error {error.code}") from error
            self._take_answer(None)
        except NO_ANSWER as error:
            raise CameraError("does not answer any more") from error
