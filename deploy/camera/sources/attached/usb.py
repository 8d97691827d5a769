"""USB cameras, and whatever else the system gives as a video device."""

import glob
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

from fusedet.deploy.camera.sources.attached.device import CameraError, VideoConnection
from fusedet.deploy.camera.sources.settings import SourceSettings
from fusedet.deploy.detector.opencv import cv2

_DEVICE = re.compile(r"/dev/video(\d+)")


class UsbCamera:
    """A :class:`~fusedet.deploy.camera.sources.attached.device.Device`: its number, or on Linux its device file."""

    def __init__(self, text: str, settings: SourceSettings) -> None:
        """``text``: a number, ``/dev/videoN``, or a link to one, such as those in ``/dev/v4l/by-id``."""
        self.source = f"camera {text}"
        self.label = f"camera-{re.sub(r'^/dev/(video)?', '', text).replace('/', '-')}"
        self._text = text
        self._settings = settings

    def open(self) -> VideoConnection:
        """Opens the camera and asks for what the settings say.

        Raises:
            CameraError: there is none, it may not be used, or it is in use.
        """
        if sys.platform == "linux":
            capture = _open_v4l2(f"/dev/video{self._text}" if self._text.isdecimal() else self._text)
        elif self._text.isdecimal():
            capture = cv2.VideoCapture(int(self._text))
        else:
            raise CameraError("device files are Linux's; name the camera by its number")
        if not capture.isOpened():
            capture.release()
            raise CameraError("there is none, or another program holds it")
        _ask_for(capture, self._settings)
        return VideoConnection(capture)


def why_not_usable(path: str) -> str | None:
    """Why a device file cannot be used, in a few words; None where nothing speaks against it."""
    try:
        found = os.stat(path)
    except OSError:
        others = ", ".join(sorted(glob.glob("/dev/video*")))
        return f"there is no {path}, {f'but {others}' if others else 'and no other camera either'}"
    if not stat.S_ISCHR(found.st_mode):
        return f"{path} is no device"
    if not os.access(path, os.R_OK | os.W_OK):
        try:
            group = Path(path).group()
        except KeyError:  # a group without a name
            group = str(found.st_gid)
        return f"no permission for {path}: join the group {group} (sudo usermod -aG {group} $USER, then log in again)"
    return None


def _open_v4l2(path: str) -> Any:
    reason = why_not_usable(path)
    if reason:
        raise CameraError(reason)
    device = _DEVICE.fullmatch(os.path.realpath(path))  # each time: a camera may come back under another number
    if device is None:
        raise CameraError(f"{path} is no camera: expected /dev/videoN or a link to one")
    capture = cv2.VideoCapture(int(device[1]), cv2.CAP_V4L2)
    if not capture.isOpened():
        capture.release()
        user = _user_of(device[0])
        held = f"is busy: {user} holds it" if user else "cannot be opened: it is busy, or gives no images at all"
        raise CameraError(f"{device[0]} {held}")
    return capture


def _ask_for(capture: Any, settings: SourceSettings) -> None:
    """What the camera cannot do it leaves; the first image shows its true size.

    The format of pixels comes first: which sizes and rates there are depends on it.
    """
    if settings.fourcc is not None:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.fourcc))
    wishes = (
        (cv2.CAP_PROP_FRAME_WIDTH, settings.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, settings.height),
        (cv2.CAP_PROP_FPS, settings.fps),
        (cv2.CAP_PROP_BUFFERSIZE, 1),  # the newest image, not one that waited in a queue
    )
    for key, value in wishes:
        if value is not None:
            capture.set(key, value)


def _user_of(path: str) -> str | None:
    """Name and number of another process that has ``path`` open; only those of the same user can be seen."""
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        process = Path(link).parts[2]
        try:
            if process != str(os.getpid()) and os.readlink(link) == path:
                return f"{Path('/proc', process, 'comm').read_text().strip()} (process {process})"
        except OSError:  # it has ended meanwhile, or is not ours to look at
            continue
    return None
