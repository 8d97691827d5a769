"""Reads one camera on a thread of its own."""

import logging
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from fusedet.common.text import in_one_line
from fusedet.common.throttled_log import ThrottledLog
from fusedet.deploy.camera.pipeline.latest_frame_buffer import LatestFrameBuffer
from fusedet.deploy.camera.pipeline.statistics import CameraStatistics
from fusedet.deploy.camera.pipeline.worker import Worker
from fusedet.deploy.camera.sources import Frame, Source
from fusedet.deploy.camera.sources.attached.device import USUAL_FPS
from fusedet.deploy.camera.sources.clock import LONGEST_AWAY_S, LONGEST_GAP_S, FrameClock

_log = logging.getLogger(__name__)

#: Between two attempts to open a source in the place of another.
_REOPEN_S = 2.0


class Capture:
    """Puts the frames of a source into the buffer until it ends.

    Numbers and times of the frames go on when another source takes the place of one that hangs. ``make_source`` is
    called at once, where what it raises is raised, and again for each other source.
    """

    def __init__(
        self, name: str, make_source: Callable[[], Source], buffer: LatestFrameBuffer, statistics: CameraStatistics
    ) -> None:
        self.name = name
        self._make_source = make_source
        self._buffer = buffer
        self._statistics = statistics
        self._trouble = ThrottledLog(_log)
        self._restarts = self._unreadable = 0  # of the sources before this one
        self._error: str | None = None
        self._stopped = False
        self._next_index = 0
        self._captured_s: float | None = None
        self.source = make_source()
        gap_s = LONGEST_AWAY_S if self.source.live else LONGEST_GAP_S
        self._clock = FrameClock(1 / (self.source.fps or USUAL_FPS), longest_gap_s=gap_s)
        self.worker = self._new_worker()

    def start(self) -> None:
        """Begins to read."""
        self.worker.start()

    def stop(self) -> None:
        """Ends reading, soon."""
        self._stopped = True
        self.worker.stop()
        self.source.close()

    @property
    def ended(self) -> bool:
        """Whether no more frames will come."""
        return not self.worker.alive

    @property
    def state(self) -> str:
        """``running``, ``waiting`` for a source that is away, or ``ended``."""
        if self.ended:
            return "ended"
        return "running" if self.source.health.connected and self._error is None else "waiting"

    @property
    def error(self) -> str | None:
        """What is wrong with the source, in one line."""
        return self._error or self.source.health.error

    @property
    def reconnects(self) -> int:
        """How often the source was opened anew."""
        return self._restarts + self.source.health.reconnects

    @property
    def unreadable(self) -> int:
        """Images of the source that could not be read, and were left out."""
        return self._unreadable + self.source.unreadable

    def hangs(self, limit_s: float) -> bool:
        """Whether there was no sign of life for ``limit_s``.

        A source that is away opens itself again and again, inside of its iterator: each attempt is a sign of life, and
        is given ten times as long.
        """
        health = self.source.health
        silent_s = min(self.worker.stuck_s(), monotonic() - health.alive_s)
        return silent_s > (limit_s if health.connected else 10 * limit_s)

    def restart(self) -> None:
        """Leaves a source that hangs to itself, and opens another one."""
        self.worker.stop()
        text = f"camera {self.name}: no sign of life for {self.worker.stuck_s():.0f} s, it is opened anew"
        self._trouble.warning("hangs", text)
        self._error = "hangs, opened anew"
        self.worker = self._new_worker(reopen=True)
        self.worker.start()

    def _new_worker(self, *, reopen: bool = False) -> Worker:
        return Worker(f"camera {self.name}", lambda worker: self._work(worker, reopen=reopen))

    def _work(self, worker: Worker, *, reopen: bool) -> None:
        if reopen and not self._open_another(worker):
            return
        while not self._read(worker):
            worker.idle()
            if worker.stopping.wait(_REOPEN_S) or not self._open_another(worker):
                return

    def _open_another(self, worker: Worker) -> bool:
        """Puts another source in the place of one that hangs or has failed; False where that has to end."""
        left = self.source
        worker.busy()
        while not worker.stopping.is_set():
            try:
                source = self._make_source()
            except Exception as error:
                self._error = in_one_line(error)
                worker.idle()
                worker.stopping.wait(_REOPEN_S)
                continue
            self._restarts += 1 + left.health.reconnects
            self._unreadable += left.unreadable
            self.source = source
            break
        # On the old source's own account: closing it may hang as well.
        Worker(f"closing {self.name}", lambda _: left.close()).start()
        if self._stopped:
            self.source.close()
        return not self._stopped and self.source is not left

    def _read(self, worker: Worker) -> bool:
        """Reads the source to its end; False where it has none, and has failed in a way that nobody has foreseen."""
        source, first_index, is_first = self.source, self._next_index, True
        worker.busy()
        try:
            for given in source:
                if worker.stopping.is_set():
                    break
                self._error = None
                if is_first and self._captured_s is not None:
                    self._clock.begin_again(given.captured_s - self._captured_s)
                frame, is_first = self._going_on(given, first_index), False
                # A source that does not wait may have dropped some itself, while this thread got no turn.
                self._statistics.captured(missed=frame.index - self._next_index if source.drops else 0)
                self._next_index = frame.index + 1
                worker.idle()  # a file waits here for its turn
                if not self._buffer.put(self.name, frame, newest=source.drops):
                    break
                worker.busy()
        except Exception as error:
            if worker.stopping.is_set():  # it was left to itself
                return True
            self._error = in_one_line(error)
            self._trouble.warning("fails", f"camera {self.name}: {self._error}")
            return not source.live
        finally:
            if not worker.stopping.is_set():
                source.close()
        return True

    def _going_on(self, frame: Frame, first_index: int) -> Frame:
        """The frame with the number and the time that follow on those of the sources before."""
        self._captured_s = frame.captured_s
        time_s = None if frame.time_s is None else self._clock.at(frame.time_s)
        return replace(frame, index=first_index + frame.index, time_s=time_s)
