"""Which of the files that a sink wrote stay: so many, so old, so large together, and no full disk."""

import errno
import os
import re
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

#: What :func:`fusedet.deploy.camera.sinks.files.folders.time_stamp` writes, as a regular expression.
STAMP = r"(?P<stamp>\d{8}T\d{6}\.\d{3}Z)"
#: A board without a battery for its clock believes that it is 1970: how old a file of then is, nobody knows.
_CLOCK_IS_SET = datetime(2020, 1, 1, tzinfo=timezone.utc).timestamp()
_DAY_S = 86400.0


@dataclass(frozen=True)
class RetentionLimits:
    """What may stay."""

    keep: int | None = None  # files, of each camera where names begin with one; None: any number
    days: float | None = None  # older ones go; None: of any age
    max_gb: float | None = None  # of all together, in 10^9 bytes; None: any size
    min_free_gb: float = 0.0  # what is to stay free on the disk, though never more than a tenth of it


@dataclass(frozen=True)
class _File:
    path: Path
    of: str
    stamp_s: float
    size: int


class Retention:
    """Removes the oldest files of a kind from a folder, and no others.

    Which file is older is a matter of the time in their names at the start, and of the order in which they came from
    then on. Only files whose whole name is one that the sink gives are touched, no links and no folders.
    """

    def __init__(
        self, folder: Path, pattern: str, limits: RetentionLimits, clock: Callable[[], float] = time.time
    ) -> None:
        """Takes the files in ``folder``, which is there, and removes what is too much.

        ``pattern`` is a regular expression of a whole name, with a group ``stamp`` and perhaps one ``of`` (a camera).
        """
        self._folder, self._pattern, self._limits, self._clock = folder, re.compile(pattern), limits, clock
        found = [file for path in folder.iterdir() if (file := self._look(path)) is not None]
        self._files = deque(sorted(found, key=lambda file: (file.stamp_s, file.path.name)))
        self.tend()

    def add(self, path: Path) -> None:
        """Takes one more, and removes what is too much."""
        file = self._look(path)
        if file is not None:
            self._files.append(file)
        self.tend()

    def tend(self) -> None:
        """Removes what is too much, or has become too old."""
        limits = self._limits
        if limits.days is not None:
            oldest_s = self._clock() - limits.days * _DAY_S
            self._remove([file for file in self._files if _CLOCK_IS_SET < file.stamp_s < oldest_s])
        if limits.keep is not None:
            self._remove(list(_too_many(self._files, limits.keep)))
        if limits.max_gb is not None:
            size = sum(file.size for file in self._files)
            while size > limits.max_gb * 1e9:
                size -= self._files[0].size
                self._remove([self._files[0]])

    def make_room(self, least_bytes: int = 0) -> None:
        """Removes the oldest files until enough of the disk is free, and ``least_bytes`` in any case.

        Raises:
            OSError: there is nothing left that could be removed.
        """
        wanted = max(least_bytes, free_bytes_wanted(self._folder, self._limits.min_free_gb))
        while shutil.disk_usage(self._folder).free < wanted:
            if not self._files:
                raise no_room(self._folder, wanted)
            self._remove([self._files[0]])

    def _look(self, path: Path) -> _File | None:
        match = self._pattern.fullmatch(path.name)
        if match is None or path.is_symlink() or not path.is_file():
            return None
        stamp = datetime.strptime(match["stamp"], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=timezone.utc)
        return _File(path, match.groupdict().get("of", ""), stamp.timestamp(), path.stat().st_size)

    def _remove(self, files: list[_File]) -> None:
        for file in files:
            file.path.unlink(missing_ok=True)
            self._files.remove(file)


def free_bytes_wanted(folder: Path, min_free_gb: float) -> int:
    """What is to stay free on the disk of ``folder``: so much, and no more than a tenth of it."""
    return round(min(min_free_gb * 1e9, shutil.disk_usage(folder).total / 10)) if min_free_gb else 0


def no_room(folder: Path, wanted: int) -> OSError:
    """What a sink raises that would fill the disk."""
    return OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: less than {wanted / 1e9:.2g} GB is free", str(folder))


def _too_many(files: deque[_File], keep: int) -> Iterator[_File]:
    """The oldest of each camera that has more than ``keep``."""
    too_many = Counter(file.of for file in files)
    for file in files:
        if too_many[file.of] > keep:
            too_many[file.of] -= 1
            yield file
