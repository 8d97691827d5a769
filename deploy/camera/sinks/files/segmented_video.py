"""Annotated videos of a fixed length."""

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path

from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.base import Sink
from fusedet.deploy.camera.sinks.files.annotated import AnnotatedVideo
from fusedet.deploy.camera.sinks.files.folders import make_folder, safe_name, time_stamp
from fusedet.deploy.camera.sinks.files.retention import STAMP, Retention, RetentionLimits

#: A video ends where its camera gives nothing for longer: the gap is not filled with one still image.
_GAP_S = 10.0
#: OpenCV does not say when a disk is full, and the index at a video's end needs room as well.
_LEAST_FREE_BYTES = 64 << 20
_CHECK_EVERY_S = 1.0
_PATTERN = rf"(?P<of>.+)_{STAMP}\.mp4"

_log = logging.getLogger(__name__)


@dataclass
class _Segment:
    """A video that is being written: times are those of ``Frame.captured_s``."""

    video: AnnotatedVideo
    path: Path
    start_s: float
    last_s: float
    checked_s: float


class SegmentedVideo(Sink):
    """Annotated MP4 videos of each camera, ``door_20251122T102030.250Z.mp4`` by the time when they begin (UTC).

    They play at true speed. A video appears under its name when it is finished; what a crash leaves of one is an MP4
    without its index, which nobody can play, and is removed at the next start.
    """

    def __init__(self, folder: Path, minutes: float, limits: RetentionLimits, fps: float = 10.0) -> None:
        """Writes into ``folder``, for all cameras, which is made; that it cannot be is an ``InputError``.

        Args:
            folder: of the videos.
            minutes: length of a video.
            limits: which finished videos stay; ``keep`` is of each camera.
            fps: images a second in the videos; a camera's images are repeated or left out accordingly.
        """
        make_folder(folder)
        self._folder = folder
        self._seconds = 60 * minutes
        self._fps = fps
        self._segments: dict[str, _Segment] = {}
        for part in sorted(folder.iterdir()):
            if re.fullmatch(rf".+_{STAMP}\.part\.mp4", part.name):
                _log.warning("removed: %s, which was not finished", part)
                part.unlink()
        self._retention = Retention(folder, _PATTERN, limits)

    def write(self, result: Result) -> None:
        """Draws and writes one frame.

        Raises:
            InputError: this build of OpenCV writes no MP4 there.
            OSError: the disk is full; what was written so far is finished.
        """
        now_s = result.frame.captured_s
        segment = self._segments.get(result.camera)
        if segment is not None and (now_s - segment.start_s >= self._seconds or now_s - segment.last_s > _GAP_S):
            self._finish(result.camera)
            segment = None
        if segment is None or now_s - segment.checked_s >= _CHECK_EVERY_S:
            self._check_room(result.camera)
        if segment is None:
            segment = self._begin(result)
        elif now_s - segment.checked_s >= _CHECK_EVERY_S:
            segment.checked_s = now_s
        segment.last_s = now_s
        segment.video.write(replace(result, frame=replace(result.frame, time_s=now_s - segment.start_s)))

    def close(self) -> None:
        """Finishes all videos."""
        for camera in list(self._segments):
            self._finish(camera)

    def tend(self) -> None:
        """Removes videos that have become too old."""
        self._retention.tend()

    def _begin(self, result: Result) -> _Segment:
        now_s = result.frame.captured_s
        camera = safe_name(result.camera)
        path = self._folder / f"{camera}_{time_stamp(result.frame.taken_at)}.mp4"
        segment = _Segment(AnnotatedVideo(path, self._fps), path, now_s, now_s, now_s)
        self._segments[result.camera] = segment
        return segment

    def _finish(self, camera: str) -> None:
        segment = self._segments.pop(camera)
        segment.video.close()
        self._retention.add(segment.path)

    def _check_room(self, camera: str) -> None:
        try:
            self._retention.make_room(_LEAST_FREE_BYTES)
        except OSError:
            if camera in self._segments:
                self._finish(camera)
            raise
