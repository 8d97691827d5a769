"""From recordings of a camera to images: a frame every some seconds, without those that show nothing new."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fusedet.common.atomic import write_bytes
from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources import IMAGE_SUFFIXES, VIDEO_SUFFIXES, is_video
from fusedet.deploy.camera.sources.attached.device import rate_of
from fusedet.deploy.detector.opencv import cv2, name_for_opencv
from fusedet.train.data.doctor.checks.duplicates import Seen
from fusedet.train.labelling.label import ImageFile

#: Of the images: what a detector learns from should not be spoiled again.
_JPEG_QUALITY = 95


class Frames(NamedTuple):
    """What was taken from recordings."""

    image_files: list[ImageFile]  # those that were kept, with ids from 1
    alike: int  # how many were left out because they show nothing new


def find_videos(path: Path) -> list[Path]:
    """``path`` itself where it is a video, or the videos in that folder and in the folders in it, sorted by name."""
    if path.is_file():
        return [path] if _is_footage(path) or is_video(path) else []
    return sorted(file for file in path.rglob("*") if file.is_file() and _is_footage(file))


def _is_footage(file: Path) -> bool:
    """A usual suffix is believed, so that a recording that cannot be read is named; others are looked into."""
    suffix = file.suffix.lower()
    return suffix in VIDEO_SUFFIXES or (suffix not in IMAGE_SUFFIXES and is_video(file))


def take_frames(
    videos: list[Path], every_s: float, folder: Path, on_frame: Callable[[int], None] = lambda count: None
) -> Frames:
    """Writes frames as JPEG into a folder, named by video and second: ``gate-000012.50.jpg``.

    The same call again writes the same files: what an interrupted one has written stays. Folders that differ between
    the videos become folders of the images. ``every_s`` seconds lie between frames; ``on_frame`` is called with 1 for
    each. Raises InputError if a video cannot be read, two would give files of one name, or another file of such a name
    is there.
    """
    seen, image_files, alike = Seen(), list[ImageFile](), 0
    for video, name in zip(videos, _names(videos), strict=True):
        for time_s, frame in frames_every(video, every_s):
            on_frame(1)
            if not seen.is_new(frame):
                alike += 1
                continue
            file_name = f"{name}-{time_s:09.2f}.jpg"
            _write(folder / file_name, frame)
            image_files.append(ImageFile(len(image_files) + 1, file_name, folder / file_name))
    return Frames(image_files, alike)


def frames_every(video: Path, every_s: float) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Seconds since the start, and uint8 BGR ``[H, W, 3]``; the frames between are not decoded where that can be.

    Raises InputError if it is no video, or none of its frames can be read.
    """
    capture = cv2.VideoCapture(name_for_opencv(video))
    try:
        rate, index, due_s, any_frame = rate_of(capture), 0, 0.0, False
        while capture.grab():
            stamp_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            time_s = stamp_s if stamp_s > 0 else index / rate
            index += 1
            if time_s < due_s - 0.5 / rate:
                continue
            due_s += every_s * max(1, -(-(time_s - due_s) // every_s))
            there, frame = capture.retrieve()
            if there:
                any_frame = True
                yield time_s, np.asarray(frame, np.uint8)
        if not any_frame:
            raise InputError(f"{video}: not a video that OpenCV can read")
    finally:
        capture.release()


def _names(videos: list[Path]) -> list[str]:
    """Their paths without what all have in common, and without suffix."""
    parents = {video.parent.resolve() for video in videos}
    root = next(p for p in [*parents, *next(iter(parents)).parents] if all(q.is_relative_to(p) for q in parents))
    names = [video.resolve().relative_to(root).with_suffix("").as_posix() for video in videos]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise InputError(f"{videos[i]} and {videos[names.index(name)]} would give images of one name; rename one")
    return names


def _write(path: Path, frame: NDArray[np.uint8]) -> None:
    """As a whole or not at all, and never over another image."""
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    content = data.tobytes()
    if path.exists():
        if path.read_bytes() != content:
            raise InputError(f"{path}: exists already, and is another image; give another folder with --images")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)
