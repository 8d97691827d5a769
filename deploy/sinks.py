"""Where results go: annotated pictures, an annotated video, JSON lines, a window."""

import json
import os
import sys
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from fusedet.configs.errors import InputError
from fusedet.deploy.detections import NO_TRACK, Detections
from fusedet.deploy.draw import draw_detections
from fusedet.deploy.opencv import cv2
from fusedet.deploy.sources import Frame

__all__ = [
    "AnnotatedPictures",
    "AnnotatedVideo",
    "JsonLines",
    "Sink",
    "Window",
    "WindowClosed",
    "new_folder",
    "to_record",
]

#: Formats that every build of OpenCV writes; others become JPEG.
_WRITABLE = frozenset({".bmp", ".jpeg", ".jpg", ".png"})


class Sink(Protocol):
    """Takes each frame with what was found in it."""

    def write(self, frame: Frame, detections: Detections) -> None:
        """Takes one frame."""
        ...

    def close(self) -> None:
        """Finishes what is half written."""
        ...


def new_folder(wanted: Path) -> Path:
    """Makes the folder ``wanted``, or the first free of ``wanted-2``, ``wanted-3`` and so on, and returns its path."""
    number = 1
    while True:
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def to_record(frame: Frame, detections: Detections) -> dict[str, Any]:
    """What was found in a frame, as plain values for JSON.

    Keys: ``source``, ``frame`` (its index), ``time_s`` (null for a picture), ``width``, ``height`` and ``detections``:
    a list of ``box_xyxy`` (pixels of the picture), ``score``, ``class_id`` and ``name``, highest score first. Where
    tracks are kept each also has its ``track``, null where it belongs to none.
    """
    height, width = frame.image.shape[:2]
    found = zip(
        detections.boxes_xyxy.tolist(),
        detections.scores.tolist(),
        detections.class_ids.tolist(),
        detections.labels,
        strict=True,
    )
    return {
        "source": frame.source,
        "frame": frame.index,
        "time_s": None if frame.time_s is None else round(frame.time_s, 3),
        "width": width,
        "height": height,
        "detections": [
            {
                "box_xyxy": [round(side, 2) for side in box],
                "score": round(score, 4),
                "class_id": class_id,
                "name": name,
                **track,
            }
            for (box, score, class_id, name), track in zip(found, _tracks(detections), strict=True)
        ],
    }


def _tracks(detections: Detections) -> list[dict[str, int | None]]:
    if detections.track_ids is None:
        return [{}] * len(detections)
    return [{"track": None if number == NO_TRACK else number} for number in detections.track_ids.tolist()]


class JsonLines:
    """One line of JSON a frame, see :func:`to_record`, written as soon as it is known. Only ASCII is written."""

    def __init__(self, stream: TextIO) -> None:
        """Writes to ``stream``, which the caller closes."""
        self._stream = stream

    def write(self, frame: Frame, detections: Detections) -> None:
        """Writes one line."""
        self._stream.write(json.dumps(to_record(frame, detections)) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """The stream is the caller's."""


class AnnotatedPictures:
    """Each picture with its detections drawn in, under its own name in a folder.

    Folders inside the source are kept, and so is the suffix: pictures of one stem do not overwrite each other. A format
    that OpenCV may not write gets ``.jpg`` behind its name.
    """

    def __init__(self, folder: Path) -> None:
        """Writes into ``folder``."""
        self._folder = folder
        self._taken: set[Path] = set()

    def write(self, frame: Frame, detections: Detections) -> None:
        """Draws and writes one picture.

        Raises:
            OSError: it cannot be written.
        """
        path = self._folder / frame.name
        if path.suffix.lower() not in _WRITABLE:
            path = path.with_name(path.name + ".jpg")
        while path in self._taken:  # the source holds a.tif as well as a.tif.jpg
            path = path.with_name("_" + path.name)
        self._taken.add(path)
        _, data = cv2.imencode(path.suffix, draw_detections(frame.image, detections))
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data.tobytes())  # not cv2.imwrite, which cannot write every name on every system
        os.replace(part, path)

    def close(self) -> None:
        """Every picture is whole already."""


class AnnotatedVideo:
    """An MP4 of the frames with their detections drawn in; there is no sound in it.

    It plays at the speed of its source: a frame of a camera is repeated for as long as the next one took.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """Writes ``path``, which ends in ``.mp4``; it appears when the video is closed."""
        self._path = path
        self._part = path.with_name(f"{path.stem}.part.mp4")
        # OpenCV gives MPEG-4 the rate in thousandths, and MPEG-4's clock has 65535 ticks in a second at most.
        self._fps = fps if fps <= 65 else float(round(fps))
        self._writer: Any = None
        self._size = (0, 0)
        self._written = 0

    def write(self, frame: Frame, detections: Detections) -> None:
        """Draws and writes one frame.

        Raises:
            InputError: this build of OpenCV writes no MP4 there.
        """
        picture = draw_detections(frame.image, detections)
        if self._writer is None:
            self._open(picture)
        due = frame.index + 1 if frame.time_s is None else round(frame.time_s * self._fps) + 1
        if picture.shape[1::-1] != self._size:  # a stream whose size changes; OpenCV would leave the frame out
            picture = np.asarray(cv2.resize(picture, self._size), np.uint8)
        for _ in range(self._written, due):
            self._writer.write(picture)
        self._written = max(self._written, due)

    def close(self) -> None:
        """Ends the video. Without any frame there is none."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            os.replace(self._part, self._path)

    def _open(self, picture: NDArray[np.uint8]) -> None:
        self._size = (picture.shape[1], picture.shape[0])
        writer = cv2.VideoWriter(str(self._part), cv2.VideoWriter.fourcc(*"mp4v"), self._fps, self._size)
        if not writer.isOpened():
            raise InputError(f"{self._path}: this OpenCV {cv2.__version__} cannot write an MP4 video there")
        self._writer = writer


class WindowClosed(Exception):  # noqa: N818 - not an error
    """The user has seen enough."""


class Window:
    """Shows each picture with its detections: a stream as it comes, a picture until a key is pressed."""

    def __init__(self, title: str) -> None:
        """Opens the window.

        Raises:
            InputError: there is no screen, or this OpenCV is built without windows.
        """
        # Asked first, because OpenCV's Qt ends the whole process where it finds no display.
        if sys.platform == "linux" and not os.environ.get("DISPLAY"):
            raise InputError("a window needs a screen, but DISPLAY is not set")
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL)
        except cv2.error as error:
            raise InputError("this OpenCV is built without windows: install fusedet[desktop]") from error
        self._title = title

    def write(self, frame: Frame, detections: Detections) -> None:
        """Shows one picture.

        Raises:
            WindowClosed: the user pressed q or Esc, or closed the window.
        """
        cv2.imshow(self._title, draw_detections(frame.image, detections))
        is_stream = frame.time_s is not None
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
