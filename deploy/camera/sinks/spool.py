"""A queue on disk: what is put in stays until it was taken, also when the process is killed or the power fails.

The folder holds segments, ``00000000000000000001.log`` by the number of its first record, with a line for each record:
the CRC-32 of its text, a blank, and the text. ``taken`` holds the number of the last record that was taken; it may be
too low, never too high, so that after a crash some records come twice and none is missing.

A record is with the system as soon as :meth:`Spool.put` returns, so a killed process loses nothing. It is forced onto
the disk only if it has waited for a second: on an SD card that takes up to a tenth of a second and wears the card, and
as a rule the receiver has taken the record by then. A power cut costs the records of the last second or so.
"""

import contextlib
import os
import re
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fusedet.common.atomic import remove_parts, write_text
from fusedet.common.errors import InputError
from fusedet.deploy.camera.sinks.append import append_whole, open_to_append
from fusedet.deploy.camera.sinks.folders import make_folder

try:
    import fcntl
except ImportError:  # on Windows two processes may meet in a folder
    fcntl = None  # type: ignore[assignment]

__all__ = ["Record", "Spool"]

#: Records in a segment: whole segments are removed, so that so many may stay on disk although they were taken.
_SEGMENT = 1000
_SYNC_EVERY_S = 1.0
_NAME = re.compile(r"\d{20}\.log")


@dataclass(frozen=True)
class Record:
    """Something in the queue: its number, which never comes again, and its text."""

    number: int
    text: str


class Spool:
    """A bounded queue of short texts in a folder. Every method may be called from any thread.

    Attributes:
        dropped: records given up since the start because there were too many.
    """

    def __init__(self, folder: Path, most: int) -> None:
        """Opens the queue, or makes it.

        Args:
            folder: of this queue alone; it is made.
            most: the oldest beyond so many are given up.

        Raises:
            InputError: the folder cannot be used, or another queue uses it.
        """
        make_folder(folder)
        self._folder = folder
        self._most = most
        self.dropped = 0
        self._lock = threading.Lock()
        self._guard = _lock_folder(folder)
        remove_parts(folder)
        self._firsts = sorted(int(path.stem) for path in folder.iterdir() if _NAME.fullmatch(path.name))
        self._taken = self._saved_taken = max(self._read_taken(), self._firsts[0] - 1 if self._firsts else 0)
        self._next = self._mend_last()
        if self._next <= self._taken:  # a power cut lost records that were taken
            self._next = self._taken + 1
        self._file: BinaryIO | None = None
        self._unsynced_since: float | None = None
        self._saved_s = 0.0
        self._cursor = (0, 0, 0)  # a record's number, the first one of its segment, and its offset there
        self._give_up_oldest()

    @property
    def waiting(self) -> int:
        """Records that were not taken yet."""
        with self._lock:
            return self._next - 1 - self._taken

    @property
    def taken(self) -> int:
        """The number of the last record that was taken, or given up."""
        with self._lock:
            return self._taken

    def put(self, text: str) -> None:
        """Adds a record; if there are too many then, the oldest is given up.

        Raises:
            ValueError: the text is not ASCII in one line.
            OSError: it cannot be written; then it is not in the queue.
        """
        data = text.encode("ascii")
        if b"\n" in data:
            raise ValueError("a record must be a single line")
        with self._lock:
            if self._file is None or self._next - self._firsts[-1] >= _SEGMENT:
                self._begin_segment()
            assert self._file is not None
            append_whole(self._file, b"%08x %s\n" % (zlib.crc32(data), data))
            self._next += 1
            self._unsynced_since = self._unsynced_since or time.monotonic()
            self._give_up_oldest()

    def read(self, after: int, most: int) -> list[Record]:
        """The next records after a number, oldest first: those that were taken already and broken ones are left out.

        Args:
            after: a record's number.
            most: at most so many.
        """
        with self._lock:
            number = max(after, self._taken) + 1
            records: list[Record] = []
            while number < self._next and len(records) < most:
                found, number = self._read_segment(number, most - len(records))
                records += found
            if after <= self._taken:  # nothing is on its way, so nobody is ever going to take what is broken
                self._taken = (records[0].number if records else number) - 1
            return records

    def take(self, number: int) -> None:
        """All records up to this one are done with."""
        with self._lock:
            self._taken = min(max(self._taken, number), self._next - 1)
            self._remove_taken()

    def tend(self) -> None:
        """Forces onto the disk what has waited for long enough; to be called every second or so.

        Raises:
            OSError: the disk is full or broken.
        """
        with self._lock:
            now = time.monotonic()
            if self._taken == self._next - 1:
                self._unsynced_since = None  # all of it is with the receiver
            elif self._unsynced_since is not None and now - self._unsynced_since >= _SYNC_EVERY_S:
                self._sync()
            if now - self._saved_s >= _SYNC_EVERY_S:
                self._save_taken()
                self._saved_s = now

    def close(self) -> None:
        """Leaves what is waiting on the disk."""
        with self._lock:
            with contextlib.suppress(OSError):  # a full disk: some records come twice
                self._save_taken()
            with contextlib.suppress(OSError):
                self._sync()
            if self._file is not None:
                self._file.close()
                self._file = None
            self._guard.close()

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:020d}.log"

    def _read_taken(self) -> int:
        try:
            text = (self._folder / "taken").read_text(encoding="ascii")
            return int(text) if text.endswith("\n") else 0
        except (FileNotFoundError, ValueError):  # ValueError: a power cut spoilt it
            return 0

    def _save_taken(self) -> None:
        if self._taken != self._saved_taken:
            write_text(self._folder / "taken", f"{self._taken}\n", sync=False)  # a spoilt one is too low
            self._saved_taken = self._taken

    def _mend_last(self) -> int:
        """Cuts a half record off the end of the last segment; the number of the next record."""
        if not self._firsts:
            return 1
        path = self._path(self._firsts[-1])
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)
        return self._firsts[-1] + data.count(b"\n")

    def _begin_segment(self) -> None:
        """Opens a new segment; the last one is never continued by another process, it may end in what is broken."""
        if self._file is not None:
            self._sync()
            self._file.close()
            self._file = None
        self._file = open_to_append(self._path(self._next))
        if self._next not in self._firsts:
            self._firsts.append(self._next)

    def _read_segment(self, number: int, most: int) -> tuple[list[Record], int]:
        """Records from ``number`` on, of its segment only, and the number after the last that was looked at."""
        first = max(first for first in self._firsts if first <= number)
        end = min((other for other in self._firsts if other > first), default=self._next)
        at, segment, offset = self._cursor
        if (at, segment) != (number, first):
            at, offset = first, 0
        records: list[Record] = []
        with contextlib.suppress(FileNotFoundError), self._path(first).open("rb") as file:
            file.seek(offset)
            while at < end and len(records) < most:
                line = file.readline()
                if not line.endswith(b"\n"):
                    at = end  # there is less in it than was written once
                    break
                text = _whole(line) if at >= number else None
                if text is not None:
                    records.append(Record(at, text))
                at += 1
            self._cursor = (at, first, file.tell())
            return records, at
        return [], end  # somebody removed it

    def _give_up_oldest(self) -> None:
        too_many = self._next - 1 - self._taken - self._most
        if too_many > 0:
            self.dropped += too_many
            self._taken += too_many
            self._remove_taken()

    def _remove_taken(self) -> None:
        """Removes segments of which every record was taken, but not the one that is being written."""
        while len(self._firsts) > 1 and self._firsts[1] <= self._taken + 1:
            self._path(self._firsts.pop(0)).unlink(missing_ok=True)

    def _sync(self) -> None:
        if self._file is not None and self._unsynced_since is not None:
            os.fsync(self._file.fileno())
            if os.name == "posix":  # the segment's name lies in the folder
                folder = os.open(self._folder, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        self._unsynced_since = None


def _whole(line: bytes) -> str | None:
    """The text of a record, None if it is broken."""
    try:
        code, _, data = line.rstrip(b"\n").partition(b" ")
        return data.decode("ascii") if int(code, 16) == zlib.crc32(data) else None
    except ValueError:
        return None


def _lock_folder(folder: Path) -> BinaryIO:
    """A file that is locked as long as this process lives and has it open."""
    try:
        guard = open_to_append(folder / "lock")
    except OSError as error:
        raise InputError(f"{folder}: expected a folder that can be written, but: {error.strerror}") from error
    if fcntl is not None:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            guard.close()
            raise InputError(f"{folder}: expected a queue of its own, but another output or process uses it") from error
    return guard
