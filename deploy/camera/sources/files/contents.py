"""Tells videos from images by what is in a file: suffixes of recorders are without number."""

from pathlib import Path
from typing import Any

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources.files.images import IMAGE_SUFFIXES
from fusedet.deploy.detector.opencv import cv2, name_for_opencv

#: What most call their videos; others are told by what is in them.
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)
#: Files that FFmpeg plays as a terminal does, whatever is in them.
_TERMINAL_SUFFIXES = frozenset({".ans", ".art", ".asc", ".diz", ".ice", ".nfo", ".txt", ".vt"})
_HEAD_BYTES = 4096
#: Of text, only the list of a stream's pieces is a video; FFmpeg would play any other as a terminal does.
_PLAYLIST = b"#EXTM3U"
_NOT_IN_TEXT = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))


def open_file(path: Path | str) -> Any:
    """A ``cv2.VideoCapture`` of a file, opened or not.

    Raises:
        InputError: its name is not UTF-8.
    """
    return cv2.VideoCapture(name_for_opencv(path))


def is_image(path: Path) -> bool:
    """Whether the file begins as an image does that OpenCV can decode; it may still be damaged, or move."""
    try:
        return bool(cv2.haveImageReader(name_for_opencv(path)))
    except (cv2.error, UnicodeError, InputError):  # a name that OpenCV cannot open; images are not opened by name
        return path.suffix.lower() in IMAGE_SUFFIXES


def is_video(path: Path) -> bool:
    """Whether OpenCV reads the file as a video: moving images of any format, also without or with a wrong suffix.

    An image that does not move is none.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    is_text = len(head.translate(None, _NOT_IN_TEXT)) == len(head)
    if (is_text and not head.startswith(_PLAYLIST)) or path.suffix.lower() in _TERMINAL_SUFFIXES:
        return False
    may_be_image = is_image(path) or path.suffix.lower() in IMAGE_SUFFIXES
    capture = open_file(path)
    try:
        return capture.isOpened() and capture.grab() and (not may_be_image or capture.grab())
    finally:
        capture.release()
