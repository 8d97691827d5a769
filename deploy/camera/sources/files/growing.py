"""Images of a folder that grows."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources.files.images import IMAGE_SUFFIXES, read_first_image
from fusedet.deploy.camera.sources.frame import Frame, SourceHealth

_LOOK_EVERY_S = 1.0
_log = logging.getLogger(__name__)
#: Which writing of a file: time of the last change in ns, and bytes.
_State = tuple[int, int]


class GrowingImages:
    """The images among what ``list_paths`` gives: first those that are there, by name, then those that come, by age.

    It has no end. An image that is written again counts as a new one. One is read when it stayed the same between two
    looks, because writing takes time; one that cannot be read is logged, counted in ``unreadable`` and left out.
    """

    fps: float | None = None
    live: bool = True
    drops: bool = False
    files: tuple[Path, ...] = ()

    def __init__(
        self, list_paths: Callable[[], Iterable[Path]], label: str, look_every_s: float = _LOOK_EVERY_S
    ) -> None:
        self.label = label
        self.unreadable = 0
        self._error: str | None = None
        self._waits = False
        self._list_paths = list_paths
        self._look_every_s = look_every_s
        self._closing = threading.Event()

    @property
    def health(self) -> SourceHealth:
        """Whether the folder can be read; waiting for an image is no fault, however long."""
        return SourceHealth(
            self._error is None, error=self._error, alive_s=time.monotonic() if self._waits else -math.inf
        )

    def __iter__(self) -> Iterator[Frame]:
        """The images that can be read."""
        known = before = self._look() or {}
        ready = sorted(known)
        index = 0
        while not self._closing.is_set():
            for path in ready:
                if self._closing.is_set():
                    return
                frame = self._read(path, index)
                index += 1
                if frame is not None:
                    yield frame
            self._waits = True
            self._closing.wait(self._look_every_s)
            self._waits = False
            now = self._look()
            ready = []
            if now is not None:
                changed = [(state, path) for path, state in now.items() if before.get(path) == state != known.get(path)]
                ready = [path for _, path in sorted(changed)]
                known = {path: known[path] for path in known.keys() & now.keys()} | {path: now[path] for path in ready}
                before = now

    def close(self) -> None:
        """Ends the iteration."""
        self._closing.set()

    def _look(self) -> dict[Path, _State] | None:
        """The images that there are; None where that cannot be told now."""
        found: dict[Path, _State] = {}
        try:
            for path in self._list_paths():
                if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
                    status = path.stat()
                    found[path] = (status.st_mtime_ns, status.st_size)
        except OSError as error:  # a disk that was taken away, or a file that has just gone
            self._error = f"{error.filename or self.label}: {error.strerror}"
            return None
        self._error = None
        return found

    def _read(self, path: Path, index: int) -> Frame | None:
        try:
            return Frame(read_first_image(path), str(path), path.name, index, None)
        except InputError as error:
            self.unreadable += 1
            _log.warning("left out: %s", error)
            return None
