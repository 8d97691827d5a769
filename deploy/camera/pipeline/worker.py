"""A thread that says it is alive, so that a watchdog can tell when it is not."""

import logging
import threading
from collections.abc import Callable
from time import monotonic

_log = logging.getLogger(__name__)


class Worker:
    """Runs ``work(worker)`` on a thread of this name.

    ``work`` calls :meth:`busy` whenever it gets on, and :meth:`idle` before it waits for something that may take any
    time. It ends when :attr:`stopping` is set. A thread cannot be ended from outside: one that hangs is *abandoned*,
    which also sets ``stopping``, so that it ends should it ever wake up.
    """

    def __init__(self, name: str, work: Callable[["Worker"], None]) -> None:
        self.name = name
        self.stopping = threading.Event()
        self._busy_since: float | None = None
        # A daemon, because one that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)

    def start(self) -> "Worker":
        """Starts the thread."""
        self._thread.start()
        return self

    def busy(self) -> None:
        """The work got on."""
        self._busy_since = monotonic()

    def idle(self) -> None:
        """The work waits, and cannot hang until its next beat."""
        self._busy_since = None

    def stuck_s(self) -> float:
        """Seconds since the last beat; 0 while it rests or after it has ended."""
        since = self._busy_since
        return 0.0 if since is None or not self._thread.is_alive() else monotonic() - since

    def stop(self) -> None:
        """Asks the work to end."""
        self.stopping.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Waits for the end; whether it has come."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self, work: Callable[["Worker"], None]) -> None:
        try:
            work(self)
        except Exception:
            _log.exception("%s ended by an error of its own", self.name)
        finally:
            self.idle()
