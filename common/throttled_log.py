"""Log lines for trouble that repeats itself: said at once, and then no more than once a minute."""

import logging
import threading
from collections.abc import Callable
from time import monotonic

_EVERY_S = 60.0
#: Kinds of trouble that are remembered; beyond them the one that was said longest ago is forgotten.
_MOST_KINDS = 256


class ThrottledLog:
    """Warnings of one kind of trouble each, which say how often it came since the last line.

    May be called from any thread.

        trouble = ThrottledLog(logging.getLogger(__name__))
        trouble.warning(("door", "image"), "camera door: an image cannot be read")
    """

    def __init__(self, log: logging.Logger, every_s: float = _EVERY_S, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[object, tuple[float, int]] = {}  # kind -> when, and how often it was kept back since

    def warning(self, kind: object, text: str) -> bool:
        """Logs one line, or keeps it back where one of its kind is younger than a minute; True where it was logged.

        ``kind`` is hashable, and what makes this trouble the same as another.
        """
        with self._lock:
            now_s = self._clock()
            last = self._said.pop(kind, None)
            if last is not None and now_s - last[0] < self._every_s:
                self._said[kind] = (last[0], last[1] + 1)
                return False
            self._said[kind] = (now_s, 0)
            if len(self._said) > _MOST_KINDS:
                del self._said[min(self._said, key=lambda known: self._said[known][0])]
        more = f" ({last[1]} more times in {now_s - last[0]:.0f} s)" if last is not None and last[1] else ""
        self._log.warning("%s%s", text, more)
        return True


class Trouble:
    """The log of one thing that fails now and then: what is wrong when that is new, and that it is over.

    Neither comes more than once a minute, however often it begins and ends; what lasts is said in the end.
    """

    def __init__(self, log: logging.Logger, every_s: float = _EVERY_S, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._throttled = ThrottledLog(log, every_s, clock)
        self._told: str | None = None

    @property
    def is_told(self) -> bool:
        """Whether the log says at present that something is wrong."""
        return self._told is not None

    def tell(self, text: str) -> None:
        """Something is wrong; call it as often as that is found."""
        if text != self._told and self._throttled.warning("", text):
            self._told = text

    def over(self, text: str, level: int = logging.WARNING) -> None:
        """All is well again, which is said where the trouble was."""
        if self.is_told:
            self._log.log(level, "%s", text)
            self._told = None
