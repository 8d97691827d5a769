"""JSON lines: on a stream, or in a file that is set aside when it is large."""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal, TextIO

from fusedet.common.atomic import naming
from fusedet.common.errors import InputError
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.base import Sink
from fusedet.deploy.camera.sinks.files.folders import make_folder
from fusedet.deploy.camera.sinks.files.retention import free_bytes_wanted, no_room
from fusedet.deploy.camera.sinks.record import to_camera_record, to_record


class JsonLines(Sink):
    """One line of JSON a frame, see :func:`to_record`, written as soon as it is known. Only ASCII is written."""

    def __init__(self, stream: TextIO) -> None:
        """Writes to ``stream``, which the caller closes."""
        self._stream = stream

    def write(self, result: Result) -> None:
        """Writes one line."""
        with naming(Path(getattr(self._stream, "name", "output"))):
            self._stream.write(json.dumps(to_record(result)) + "\n")
            self._stream.flush()


class RotatingJsonLines(Sink):
    """A line of JSON for each frame, or for each event, at the end of a file. Only ASCII is written.

    A file that would become too large is set aside as ``NAME.1``, the one before as ``NAME.2`` and so on. A line is in
    the file wholly or not at all, also on a full disk. The system writes to the disk within half a minute or so, which
    is what a power cut may cost; a half line that it leaves is ended at the next start, so that the next line is whole.
    """

    def __init__(
        self,
        path: Path,
        max_mb: float,
        keep: int,
        only: Literal["detections", "events"],
        days: float | None = None,
        min_free_gb: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Opens the file, or makes it.

        Args:
            path: of the file; its folder is made.
            max_mb: no file is larger, in MB of 10^6 bytes, unless the lines of a single result are.
            keep: files that are kept beside the one that is written; beyond them the oldest is removed.
            only: ``detections``: a line for each frame, see
                :func:`~fusedet.deploy.camera.sinks.record.to_camera_record`; ``events``: a line for each event, see
                :meth:`fusedet.deploy.camera.events.event.Event.to_record`.
            days: lines that are older are removed, a file at a time: one is set aside when its share of the days is
                over. None: of any age.
            min_free_gb: what stays free on the disk, as ``RetentionLimits`` has it.
            clock: seconds since 1970.

        Raises:
            InputError: the file cannot be written.
        """
        self._path = path
        self._max_bytes = round(max_mb * 1e6)
        self._keep = keep
        self._days_s = None if days is None else days * 86400
        self._min_free_gb = min_free_gb
        self._clock = clock
        self._began_s = clock()
        self.events_only = only == "events"
        make_folder(path.parent)
        self._file: BinaryIO | None = None
        try:
            self._open()
        except OSError as error:
            if error.errno == errno.ENOSPC:  # there may be room later
                return
            raise InputError(f"{path}: expected a file that can be written, but: {error.strerror}") from error

    def write(self, result: Result) -> None:
        """Writes the line of a frame, or those of its events: all of them, or where it raises none."""
        records = [event.to_record() for event in result.events] if self.events_only else [to_camera_record(result)]
        data = b"".join(json.dumps(record).encode("ascii") + b"\n" for record in records)
        if not data:
            return
        if self._file is None or self._moved():
            self.close()
            self._open()
        self._make_room()
        if self._size() > 0 and (self._size() + len(data) > self._max_bytes or self._is_old()):
            self._set_aside()
        assert self._file is not None
        _append_whole(self._file, data)

    def tend(self) -> None:
        """Removes what has become too old."""
        if self._days_s is None:
            return
        if self._file is not None and self._size() > 0 and self._is_old():
            self._set_aside()
        for path in self._set_aside_files():
            if self._clock() - path.stat().st_mtime > self._days_s:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        self._file = self._path.open("ab", buffering=0)
        if _ends_in_half_a_line(self._path):  # what a power cut left
            try:
                _append_whole(self._file, b"\n")
            except OSError:
                self.close()
                raise
        self._began_s = _time_of_first_line(self._path) or self._clock()

    def _is_old(self) -> bool:
        """Whether the file has its share of ``days``."""
        return self._days_s is not None and self._clock() - self._began_s > self._days_s / max(1, self._keep)

    def _make_room(self) -> None:
        wanted = free_bytes_wanted(self._path.parent, self._min_free_gb)
        while shutil.disk_usage(self._path.parent).free < wanted:
            oldest = max(self._set_aside_files(), key=lambda path: int(path.suffix[1:]), default=None)
            if oldest is None:
                raise no_room(self._path, wanted)
            oldest.unlink()

    def _set_aside_files(self) -> list[Path]:
        paths = (self._numbered(number) for number in range(1, self._keep + 1))
        return [path for path in paths if path.is_file() and not path.is_symlink()]

    def _size(self) -> int:
        assert self._file is not None
        return os.fstat(self._file.fileno()).st_size

    def _moved(self) -> bool:
        """Whether somebody else has set the file aside or removed it."""
        assert self._file is not None
        try:
            return not os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return True

    def _set_aside(self) -> None:
        self.close()
        for number in range(self._keep, 0, -1):
            older = self._numbered(number)
            newer = self._numbered(number - 1)
            if newer.exists():
                os.replace(newer, older)
        if self._keep == 0:
            self._path.unlink()
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def _ends_in_half_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _time_of_first_line(path: Path) -> float | None:
    """When the first line of a file was written, seconds since 1970; None where it does not tell."""
    with path.open("rb") as file:
        try:
            record = json.loads(file.readline(1 << 20))
            return float(record.get("taken_at") or record["time"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def _append_whole(file: BinaryIO, data: bytes) -> None:
    """Appends ``data`` to an unbuffered file wholly, or not at all where the disk is full."""
    before = os.fstat(file.fileno()).st_size
    try:
        if file.write(data) < len(data):  # as much as there was room for
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)
    except OSError:
        file.truncate(before)
        raise
