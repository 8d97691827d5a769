"""OpenCV, or one clear line about how to install it.

fusedet depends on no build of OpenCV itself, because the two builds exclude each other: a board without a screen wants
``opencv-python-headless`` (no libGL), a desktop wants ``opencv-python``. Everything in fusedet that needs OpenCV
imports it from here.
"""

from pathlib import Path

from fusedet.common.errors import InputError
from fusedet.common.text import is_utf8

try:
    import cv2
except ImportError as error:  # also a build whose shared libraries, such as libGL, are missing
    raise InputError(
        f"OpenCV cannot be imported ({error}): install fusedet[headless], or fusedet[desktop] where there is a screen"
    ) from error

__all__ = ["cv2", "drawable", "name_for_opencv"]


def name_for_opencv(path: Path | str) -> str:
    """A file's name, or an address, as OpenCV takes it. OpenCV 5 ends the process at a name that is no text.

    Raises:
        InputError: bytes of the name are not UTF-8, as in what an old zip unpacks to.
    """
    if not is_utf8(str(path)):
        raise InputError(f"{path}: OpenCV opens no file whose name is not UTF-8; rename it")
    return str(path)


def drawable(text: str) -> str:
    """A text that OpenCV can draw, or write above a window: with ``?`` for what UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()
