"""Feeds one sink from a thread of its own, so that a slow or broken one disturbs nobody else."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from fusedet.common.text import in_one_line
from fusedet.common.throttled_log import Trouble
from fusedet.deploy.camera.pipeline.worker import Worker
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks import Sink

_log = logging.getLogger(__name__)

_TEND_EVERY_S = 30.0


class SinkWorker:
    """A queue of results before a sink.

    When ``capacity`` of them wait the oldest result without events is dropped and counted, and only then one with
    events. A result of a file, which can wait, is not dropped but waited for. ``make_sink`` is called at once, where
    what it raises is raised, and again when a sink hangs and another one is to take its place. ``name`` is for status
    and log.
    """

    def __init__(self, name: str, make_sink: Callable[[], Sink], *, capacity: int = 16) -> None:
        self.name = name
        self._make_sink = make_sink
        self._capacity = capacity
        self._changed = threading.Condition()
        self._queue: deque[Result] = deque()
        self._ended = False
        self._written = self._dropped = 0
        self._error: str | None = None
        self._trouble = Trouble(_log)
        self.sink = make_sink()
        self.worker = Worker(f"sink {name}", self._work)

    def start(self) -> None:
        """Begins to feed the sink."""
        self.worker.start()

    def put(self, result: Result, *, wait: bool) -> None:
        """Takes a result; with ``wait``, once there is room, else at once."""
        if self.sink.events_only and not result.events:
            return
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._ended or len(self._queue) < self._capacity)
            if self._ended:
                return
            if len(self._queue) >= self._capacity:
                self._make_room()
            self._queue.append(result)
            self._changed.notify_all()

    def report(self) -> dict[str, Any]:
        """``written``, ``dropped``, ``waiting`` and ``error``; a sink with a queue of its own adds what is in that."""
        sink = self.sink
        with self._changed:
            return {
                "written": self._written,
                "dropped": self._dropped + sink.dropped,
                "waiting": len(self._queue) + sink.waiting,
                "error": self._error or sink.error,
            }

    def finish(self, timeout_s: float) -> None:
        """Writes what waits, closes the sink, and says so if that takes too long."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self.worker.alive and not self.worker.join(timeout_s):
            _log.warning(
                "%s: gave up after %.0f s, %d results were not written", self.name, timeout_s, len(self._queue)
            )

    def restart(self) -> None:
        """Leaves a sink that hangs to itself, and goes on with a new one."""
        self.worker.stop()
        self._fail("hangs")
        try:
            self.sink = self._make_sink()
        except Exception as error:
            self._fail(str(error))
            return
        self.worker = Worker(f"sink {self.name}", self._work)
        self.worker.start()

    def _work(self, worker: Worker) -> None:
        sink, tend_s = self.sink, 0.0
        while not worker.stopping.is_set():
            worker.idle()
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._ended, 1.0)
                result = self._queue.popleft() if self._queue else None
                if result is None and self._ended:
                    break
                self._changed.notify_all()
            worker.busy()
            if result is not None:
                self._write(sink, result, worker)
            if monotonic() >= tend_s:
                tend_s = monotonic() + _TEND_EVERY_S
                self._try(sink.tend)
        worker.busy()
        if not worker.stopping.is_set():
            self._try(sink.close)

    def _write(self, sink: Sink, result: Result, worker: Worker) -> None:
        try:
            sink.write(result)
        except Exception as error:  # whatever a sink does wrong, the others go on
            if not worker.stopping.is_set():
                self._dropped += 1
                self._fail(_reason(error))
        else:
            self._written += 1
            if self._error is not None and not worker.stopping.is_set():
                self._error = None
                self._trouble.over(f"{self.name}: works again")

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self._fail(_reason(error))

    def _fail(self, reason: str) -> None:
        self._error = reason
        self._trouble.tell(f"{self.name}: {reason}")

    def _make_room(self) -> None:
        self._dropped += 1
        for i, result in enumerate(self._queue):
            if not result.events:
                del self._queue[i]
                return
        self._queue.popleft()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return in_one_line(error)
