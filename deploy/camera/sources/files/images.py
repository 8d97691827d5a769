"""Images from files."""

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources.frame import Frame, SourceHealth
from fusedet.deploy.detector.opencv import cv2, name_for_opencv

IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)

_log = logging.getLogger(__name__)


def read_image(path: str | Path, *, upright: bool = True) -> NDArray[np.uint8]:
    """An image as uint8 ``[H, W, 3]`` in BGR, turned upright as its EXIF orientation says where ``upright`` is set.

    Grey becomes three equal planes, 16 bits become the upper 8, and alpha is left out.

    Raises:
        InputError: the file cannot be read or is no image.
    """
    try:
        data = np.fromfile(path, np.uint8)  # not cv2.imread, which cannot open every name on every system
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the name, or half a character
        raise InputError(f"{str(path)!r:.200}: cannot be read: {error}") from error
    try:
        turning = 0 if upright else cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(data, cv2.IMREAD_COLOR | turning) if len(data) else None
    except cv2.error as error:  # for example more pixels than OpenCV accepts
        raise InputError(f"{path}: not an image that OpenCV can decode: {error.err}") from error
    if image is None:
        tiff = data[:4].tobytes() in (b"II*\0", b"MM\0*")
        reason = "" if len(data) else ", it is empty"
        reason = "; a TIFF of more than 16 bits a value is to be saved as PNG of 8 bits" if tiff else reason
        raise InputError(f"{path}: not an image that OpenCV can decode{reason}")
    return np.asarray(image, np.uint8)


def count_images(path: str | Path) -> int:
    """How many images a file holds, of which :func:`read_image` reads the first; 1 where OpenCV cannot tell.

    GIF, WebP, PNG and AVIF may move, TIFF may have pages.
    """
    try:
        return max(1, int(cv2.imcount(name_for_opencv(path))))
    except (cv2.error, UnicodeError, InputError):
        return 1


def read_first_image(path: Path) -> NDArray[np.uint8]:
    """:func:`read_image`, with a warning where the file holds more images."""
    image = read_image(path)
    if (count := count_images(path)) > 1:
        _log.warning("%s: holds %d images, of which the first is read", path, count)
    return image


def only_images(paths: Iterable[Path], otherwise: str) -> list[Path]:
    """The images among ``paths``, told by their suffix, sorted; ``otherwise`` is the error where there is none."""
    found = sorted(path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not found:
        raise InputError(f"{otherwise} (looked for {' '.join(sorted(IMAGE_SUFFIXES))})")
    return found


class Images:
    """Images from files, one after the other.

    One that cannot be read is logged, counted in ``unreadable`` and left out, but an only image must be readable.

    Raises:
        InputError: there is one path and it is no image.
    """

    fps: float | None = None
    live: bool = False
    drops: bool = False
    health = SourceHealth()

    def __init__(self, paths: list[Path], label: str) -> None:
        """Takes ``paths`` in this order."""
        self.label = label
        self.files: tuple[Path, ...] = tuple(paths)
        self.unreadable = 0
        self._closed = False
        self._root = os.path.commonpath([path.absolute().parent for path in paths])
        if len(paths) == 1:
            read_image(paths[0])

    def __iter__(self) -> Iterator[Frame]:
        """The images that can be read."""
        for index, path in enumerate(self.files):
            if self._closed:
                return
            try:
                image = read_first_image(path)
            except InputError as error:
                self.unreadable += 1
                _log.warning("left out: %s", error)
                continue
            yield Frame(image, str(path), os.path.relpath(path.absolute(), self._root), index, None)

    def close(self) -> None:
        """Ends the iteration; no file is held open."""
        self._closed = True
