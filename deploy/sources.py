"""Where pictures come from: a file, a folder, a glob, a video or a camera, all read in the same way.

A source is a :class:`Source`: iterate over it for :class:`Frame`, then close it. What is wrong with a source is said
when it is opened, before any work: a single picture, a video and a camera give their first picture there.
"""

import glob
import logging
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fusedet.configs.errors import InputError
from fusedet.deploy.opencv import cv2

__all__ = ["PICTURE_SUFFIXES", "VIDEO_SUFFIXES", "Frame", "Pictures", "Source", "Stream", "open_source", "read_image"]

PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)
#: Assumed where a camera or a video does not tell its rate.
_USUAL_FPS = 25.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """One picture of a source.

    Attributes:
        image: uint8 ``[H, W, 3]`` in BGR.
        source: the file or the camera it is from.
        name: a relative path that no other picture of the source has; a stream's frames share theirs.
        index: its place in the source, from 0; pictures that cannot be read have a place as well.
        time_s: seconds since the start of a video or a camera, None for a picture.
        captured_s: ``time.monotonic()`` when the picture was there.
        taken_at: seconds since 1970 (UTC) at that time.
    """

    image: NDArray[np.uint8]
    source: str
    name: str
    index: int
    time_s: float | None
    captured_s: float = field(default_factory=time.monotonic)
    taken_at: float = field(default_factory=time.time)


class Source(Protocol):
    """Gives frames until it ends.

    Attributes:
        label: a short name, fit for a folder.
        fps: frames in a second of a stream, None for pictures.
        live: True for a camera, which never ends.
        files: what is read, so that nobody writes there; empty for a camera.
        unreadable: pictures left out so far because they could not be read.
    """

    label: str
    fps: float | None
    live: bool
    files: tuple[Path, ...]
    unreadable: int

    def __iter__(self) -> Iterator[Frame]:
        """The frames, once."""
        ...

    def close(self) -> None:
        """Gives the file or the camera back."""
        ...


def open_source(text: str) -> Source:
    """Opens what a user named: a camera's number or device, a folder, a picture, a video, or a glob of pictures.

    A file whose name is a number is named ``./0``. A folder's own pictures are read, not those of the folders in it;
    ``folder/**/*.jpg`` reaches those.

    Raises:
        InputError: nothing there, nothing in it, or nothing that can be read.
    """
    if text.isdecimal():
        return _open_camera(int(text), text)
    if text.startswith("/dev/"):
        device = re.fullmatch(r"/dev/video(\d+)", os.path.realpath(text))
        if device is None:
            raise InputError(f"{text}: no such camera")
        return _open_camera(int(device[1]), text)
    if "://" in text:
        raise InputError(f"{text}: expected a picture, a folder, a glob, a video or a camera, but this is an address")
    path = Path(text)
    if path.is_dir():
        return Pictures(_only_pictures(path.iterdir(), f"{text}: no picture in this folder"), path.resolve().name)
    if path.is_file():
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return _open_stream(path, text)
        return Pictures([path], path.stem)
    if glob.has_magic(text):
        paths = _only_pictures(map(Path, glob.glob(text, recursive=True)), f"{text}: no picture matches")
        return Pictures(paths, Path(os.path.commonpath([p.parent.resolve() for p in paths])).name)
    raise InputError(f"{text}: no such file or folder, and not a camera's number")


def read_image(path: str | Path, *, upright: bool = True) -> NDArray[np.uint8]:
    """A picture as uint8 ``[H, W, 3]`` in BGR, turned upright as its EXIF orientation says where ``upright`` is set.

    Grey becomes three equal planes, 16 bits become the upper 8, and alpha is left out.

    Raises:
        InputError: the file cannot be read or is no picture.
    """
    try:
        data = np.fromfile(path, np.uint8)  # not cv2.imread, which cannot open every name on every system
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        turning = 0 if upright else cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(data, cv2.IMREAD_COLOR | turning) if len(data) else None
    except cv2.error as error:  # for example more pixels than OpenCV accepts
        raise InputError(f"{path}: not a picture that OpenCV can decode: {error.err}") from error
    if image is None:
        reason = "" if len(data) else ", it is empty"
        raise InputError(f"{path}: not a picture that OpenCV can decode{reason}")
    return np.asarray(image, np.uint8)


class Pictures:
    """Pictures from files, one after the other.

    One that cannot be read is logged, counted in ``unreadable`` and left out, but an only picture must be readable.
    """

    fps: float | None = None
    live: bool = False

    def __init__(self, paths: list[Path], label: str) -> None:
        """Takes ``paths`` in this order.

        Raises:
            InputError: there is one path and it is no picture.
        """
        self.label = label
        self.files: tuple[Path, ...] = tuple(paths)
        self.unreadable = 0
        self._root = os.path.commonpath([path.absolute().parent for path in paths])
        if len(paths) == 1:
            read_image(paths[0])

    def __iter__(self) -> Iterator[Frame]:
        """The pictures that can be read."""
        for index, path in enumerate(self.files):
            try:
                image = read_image(path)
            except InputError as error:
                self.unreadable += 1
                _log.warning("left out: %s", error)
                continue
            yield Frame(image, str(path), os.path.relpath(path.absolute(), self._root), index, None)

    def close(self) -> None:
        """Nothing is held open."""


class Stream:
    """The frames of a video or a camera. Made by :func:`open_source`."""

    fps: float | None
    files: tuple[Path, ...]
    unreadable: int = 0

    def __init__(self, capture: Any, first: NDArray[np.uint8], source: str, path: Path | None) -> None:
        """Takes an opened ``cv2.VideoCapture`` and the frame already read from it; ``path`` is None for a camera."""
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        self._rate = rate if math.isfinite(rate) and 0 < rate <= 1000 else _USUAL_FPS
        self.fps = self._rate
        self.live = path is None
        self.label = f"camera-{re.sub('[^0-9]', '', source)}" if path is None else path.stem
        self.files = () if path is None else (path,)
        self._capture = capture
        self._first = first
        self._source = source
        self._name = self.label if path is None else path.name

    def __iter__(self) -> Iterator[Frame]:
        """The frames. A video's time is the frame's index over its nominal rate, a camera's is the clock's."""
        index = 0
        image: NDArray[np.uint8] | None = self._first
        start = cv2.getTickCount()
        while image is not None:
            clock_s = (cv2.getTickCount() - start) / cv2.getTickFrequency()
            yield Frame(image, self._source, self._name, index, clock_s if self.live else index / self._rate)
            index += 1
            image = _next_image(self._capture)

    def close(self) -> None:
        """Gives the camera or the file back."""
        self._capture.release()


def _only_pictures(paths: Any, otherwise: str) -> list[Path]:
    """The pictures among ``paths``, sorted; an :class:`InputError` that says ``otherwise`` if there is none."""
    found = sorted(path for path in paths if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
    if not found:
        raise InputError(f"{otherwise} (looked for {' '.join(sorted(PICTURE_SUFFIXES))})")
    return found


def _open_camera(number: int, text: str) -> Stream:
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise InputError(f"camera {text}: there is none, or another program holds it")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest picture, not one that waited in a queue
    return _started(capture, f"camera {text}", text, None)


def _open_stream(path: Path, text: str) -> Stream:
    capture = cv2.VideoCapture(text)
    if not capture.isOpened():
        raise InputError(f"{text}: not a video that OpenCV can read")
    return _started(capture, text, text, path)


def _started(capture: Any, what: str, text: str, path: Path | None) -> Stream:
    first = _next_image(capture)
    if first is None:
        capture.release()
        raise InputError(f"{what}: it opens, but gives no picture")
    return Stream(capture, first, text, path)


def _next_image(capture: Any) -> NDArray[np.uint8] | None:
    there, image = capture.read()
    return image if there else None
