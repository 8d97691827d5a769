"""A window on the screen."""

import os
import sys

from fusedet.common.errors import InputError
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.annotation import annotated_image
from fusedet.deploy.camera.sinks.base import Sink
from fusedet.deploy.detector.opencv import cv2, drawable


class WindowClosed(Exception):  # noqa: N818 - not an error
    """The user has seen enough."""


class Window(Sink):
    """Shows each image with its detections: a stream as it comes, an image until a key is pressed."""

    def __init__(self, title: str) -> None:
        """Opens the window.

        Raises:
            InputError: there is no screen, or this OpenCV is built without windows.
        """
        # Asked first, because OpenCV's Qt ends the whole process where it finds no display.
        if sys.platform == "linux" and not os.environ.get("DISPLAY"):
            raise InputError("a window needs a screen, but DISPLAY is not set")
        try:
            cv2.namedWindow(drawable(title), cv2.WINDOW_NORMAL)
        except cv2.error as error:
            raise InputError("this OpenCV is built without windows: install fusedet[desktop]") from error
        self._title = drawable(title)

    def write(self, result: Result) -> None:
        """Shows one image.

        Raises:
            WindowClosed: the user pressed q or Esc, or closed the window.
        """
        cv2.imshow(self._title, annotated_image(result))
        is_stream = result.frame.time_s is not None
        key = cv2.waitKey(1 if is_stream else 50)
        while not is_stream and key == -1 and self._visible():
            key = cv2.waitKey(50)
        if key & 0xFF in (ord("q"), 27) or not self._visible():
            raise WindowClosed

    def close(self) -> None:
        """Closes the window."""
        if self._visible():
            cv2.destroyWindow(self._title)

    def _visible(self) -> bool:
        return bool(cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1)
