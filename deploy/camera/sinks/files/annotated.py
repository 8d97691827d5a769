"""Annotated images, and an annotated video."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.atomic import write_bytes
from fusedet.common.errors import InputError
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.annotation import annotated_image
from fusedet.deploy.camera.sinks.base import Sink
from fusedet.deploy.detector.opencv import cv2, name_for_opencv

#: Formats that every build of OpenCV writes; others become JPEG.
_WRITABLE = frozenset({".bmp", ".jpeg", ".jpg", ".png"})


class AnnotatedImages(Sink):
    """Each image with its detections drawn in, under its own name in a folder.

    Folders inside the source are kept, and so is the suffix: images of one stem do not overwrite each other. A format
    that OpenCV may not write gets ``.jpg`` behind its name.
    """

    def __init__(self, folder: Path) -> None:
        """Writes into ``folder``."""
        self._folder = folder
        self._taken: set[Path] = set()

    def write(self, result: Result) -> None:
        """Draws and writes one image."""
        path = self._folder / result.frame.name
        if path.suffix.lower() not in _WRITABLE:
            path = path.with_name(path.name + ".jpg")
        while path in self._taken:  # the source holds a.tif as well as a.tif.jpg
            path = path.with_name("_" + path.name)
        self._taken.add(path)
        _, data = cv2.imencode(path.suffix, annotated_image(result))
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not cv2.imwrite, which cannot write every name on every system. Images can be made again: no sync for each.
        write_bytes(path, data.tobytes(), sync=False)


class AnnotatedVideo(Sink):
    """An MP4 of the frames with zones, lines and detections drawn in; there is no sound in it.

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

    def write(self, result: Result) -> None:
        """Draws and writes one frame.

        Raises:
            InputError: this build of OpenCV writes no MP4 there.
        """
        image = annotated_image(result)
        if self._writer is None:
            self._open(image)
        frame = result.frame
        due = frame.index + 1 if frame.time_s is None else round(frame.time_s * self._fps) + 1
        if image.shape[1::-1] != self._size:  # a stream whose size changes; OpenCV would leave the frame out
            image = np.asarray(cv2.resize(image, self._size), np.uint8)
        for _ in range(self._written, due):
            self._writer.write(image)
        self._written = max(self._written, due)

    def close(self) -> None:
        """Ends the video. Without any frame there is none."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            os.replace(self._part, self._path)

    def _open(self, image: NDArray[np.uint8]) -> None:
        self._size = (image.shape[1], image.shape[0])
        writer = cv2.VideoWriter(name_for_opencv(self._part), cv2.VideoWriter.fourcc(*"mp4v"), self._fps, self._size)
        if not writer.isOpened():
            raise InputError(f"{self._path}: this OpenCV {cv2.__version__} cannot write an MP4 video there")
        self._writer = writer
