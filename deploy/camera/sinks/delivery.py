"""Sends events that wait in a queue on disk, on a thread of its own."""

import json
import logging
import ssl
import threading
import time
from abc import abstractmethod
from pathlib import Path

from fusedet.common.errors import InputError
from fusedet.common.throttled_log import Trouble
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.base import Sink
from fusedet.deploy.camera.sinks.spool import Spool
from fusedet.deploy.camera.sinks.tls import TlsSettings

#: Waits after a failure: doubled each time, from the first to the longest.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0
#: How long closing waits for what can be sent at once. The rest stays in the queue.
_LAST_S = 3.0
_TEND_EVERY_S = 1.0

_log = logging.getLogger(__name__)


class NotDeliveredError(Exception):
    """The receiver cannot be reached or does not take an event now; its text says why.

    It asked not to be bothered for ``wait_s``.
    """

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def renewed(tls: TlsSettings) -> ssl.SSLContext:
    """What the next connection is made with; a file that has gone since the start may come back."""
    try:
        return tls.context()
    except InputError as error:
        raise NotDeliveredError(str(error)) from error


class Delivery(Sink):
    """A sink of which :meth:`write` only puts events into a queue on disk, so that it never waits for a network.

    A subclass sends them in :meth:`_deliver`, and takes them off the queue when the receiver has them. ``error`` is
    logged once for each reason.
    """

    error: str | None = None

    def __init__(
        self, what: str, where: str, queue: Path, queue_events: int, first_wait_s: float = _FIRST_WAIT_S
    ) -> None:
        """Opens the queue; starting ``_thread`` begins to send.

        Args:
            what: the kind of receiver, for the log.
            where: its address, for ``error``; without a password.
            queue: folder of this output alone; it is made.
            queue_events: the oldest beyond so many are given up.
            first_wait_s: after the first failure; later ones wait for twice as long each, up to 30 s.

        Raises:
            InputError: the folder cannot be used.
        """
        self._trouble = Trouble(_log)
        self._what = what
        self._where = where
        self._spool = Spool(queue, queue_events)
        self._first_wait_s = self._wait_s = first_wait_s
        self._refused = 0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._deadline_s = float("inf")
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)

    @property
    def waiting(self) -> int:
        """Events in the queue."""
        return self._spool.waiting

    @property
    def dropped(self) -> int:
        """Events given up since the start: the queue was full, or the receiver refused them for good."""
        return self._spool.dropped + self._refused

    def write(self, result: Result) -> None:
        """Puts the result's events into the queue."""
        for event in result.events:
            self._spool.put(json.dumps(event.to_record()))
        if result.events:
            self._wake.set()

    def close(self) -> None:
        """Sends for a few seconds what can be sent; what remains is sent after the next start."""
        self._deadline_s = time.monotonic() + _LAST_S
        self._closing.set()
        self._wake.set()
        self._thread.join(_LAST_S + 1)
        if self._thread.is_alive():
            self._interrupt()
            self._thread.join(_LAST_S)
        self._spool.close()

    @abstractmethod
    def _deliver(self) -> None:
        """Sends what is in the queue and what comes; returns when :meth:`_is_over`.

        Raises:
            NotDeliveredError: try again later.
        """

    @abstractmethod
    def _interrupt(self) -> None:
        """Ends an attempt that hangs, if it can be ended."""

    def _is_over(self) -> bool:
        """Whether the sink is being closed, and nothing is left or the time is up."""
        return self._closing.is_set() and (not self._spool.waiting or time.monotonic() > self._deadline_s)

    def _pause(self) -> None:
        """Waits until there may be something to do; events that wait for long are forced onto the disk meanwhile."""
        self._spool.tend()
        self._wake.wait(_TEND_EVERY_S)
        self._wake.clear()

    def _all_is_well(self) -> None:
        """The receiver took something."""
        self._wait_s = self._first_wait_s
        if self.error is not None:
            self.error = None
            self._trouble.over(f"{self._what}: {self._where}: takes events again", logging.INFO)

    def _say(self, reason: str) -> None:
        self.error = f"{self._where}: {reason}"
        self._trouble.tell(f"{self._what}: {self.error}")

    def _run(self) -> None:
        while True:
            least_s = 0.0
            try:
                self._deliver()
                return
            except NotDeliveredError as error:
                self._say(str(error))
                least_s = error.wait_s
            except OSError as error:  # of the queue's disk
                self._say(f"the queue cannot be read or written: {error}")
            except Exception as error:  # a mistake in fusedet; events must not stay away for months because of it
                if self.error is None:
                    _log.exception("%s", self._what)
                self._say(f"{type(error).__name__}: {error}")
            until = time.monotonic() + max(self._wait_s, least_s)
            self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
            while not self._closing.wait(min(_TEND_EVERY_S, max(0.0, until - time.monotonic()))):
                if time.monotonic() >= until:
                    break
                self._tend_quietly()
            if self._closing.is_set():
                return

    def _tend_quietly(self) -> None:
        try:
            self._spool.tend()
        except OSError as error:
            self._say(f"the queue cannot be written: {error}")
