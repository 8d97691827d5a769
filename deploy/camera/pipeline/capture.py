"""Reads one camera on a thread of its own."""

import logging
from collections.abc import Callable

from fusedet.common.errors import InputError
from fusedet.deploy.camera.pipeline.latest_frame_buffer import LatestFrameBuffer
from fusedet.deploy.camera.pipeline.statistics import CameraStatistics
from fusedet.deploy.camera.pipeline.worker import Worker
from fusedet.deploy.camera.sources import Source

__all__ = ["Capture"]

_log = logging.getLogger(__name__)


class Capture:
    """Puts the frames of a source into the buffer until it ends.

    Attributes:
        name: the camera's.
        source: what is read now.
    """

    def __init__(
        self, name: str, make_source: Callable[[], Source], buffer: LatestFrameBuffer, statistics: CameraStatistics
    ) -> None:
        """Opens the source, and starts nothing.

        Args:
            name: the camera's.
            make_source: called again when a source hangs and another one is to take its place.
            buffer: takes the frames.
            statistics: counts them.

        Raises:
            InputError: the source cannot be opened.
        """
        self.name = name
        self._make_source = make_source
        self._buffer = buffer
        self._statistics = statistics
        self._restarts = 0
        self._error: str | None = None
        self._stopped = False
        self.source = make_source()
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

    def hangs(self, limit_s: float) -> bool:
        """Whether there was no sign of life for ``limit_s``.

        A source that is away opens itself again and again, inside of its iterator: that is given ten times as long.
        """
        return self.worker.stuck_s() > (limit_s if self.source.health.connected else 10 * limit_s)

    def restart(self) -> None:
        """Leaves a source that hangs to itself, and opens another one."""
        self.worker.stop()
        _log.warning("camera %s: no sign of life for %.0f s, it is opened anew", self.name, self.worker.stuck_s())
        self._restarts += 1 + self.source.health.reconnects
        self._error = "hangs, opened anew"
        self.worker = self._new_worker(reopen=True)
        self.worker.start()

    def _new_worker(self, *, reopen: bool = False) -> Worker:
        return Worker(f"camera {self.name}", self._reopen_and_read if reopen else self._read)

    def _reopen_and_read(self, worker: Worker) -> None:
        hanging = self.source
        worker.busy()
        while not worker.stopping.is_set():
            try:
                self.source = self._make_source()
                break
            except InputError as error:
                self._error = str(error)
                worker.idle()
                worker.stopping.wait(2.0)
        # On the hanging source's own account: closing it may hang as well.
        Worker(f"closing {self.name}", lambda _: hanging.close()).start()
        if self._stopped:
            self.source.close()
            return
        self._read(worker)

    def _read(self, worker: Worker) -> None:
        source, next_index = self.source, 0
        worker.busy()
        try:
            for frame in source:
                if worker.stopping.is_set():
                    break
                self._error = None
                # A source that does not wait may have dropped some itself, while this thread got no turn.
                self._statistics.captured(missed=frame.index - next_index if source.drops else 0)
                next_index = frame.index + 1
                worker.idle()  # a file waits here for its turn
                if not self._buffer.put(self.name, frame, newest=source.drops):
                    break
                worker.busy()
        except Exception as error:
            self._error = " ".join(str(error).split())
            _log.warning("camera %s: %s", self.name, self._error)
        finally:
            if not worker.stopping.is_set():
                source.close()
