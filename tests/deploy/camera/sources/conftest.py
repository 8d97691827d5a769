"""Cameras of the network that are really there, and somebody who takes their frames."""

import threading
from collections.abc import Callable, Iterator

import pytest

from fusedet.deploy.camera.sources import Frame, Source
from tests.counterparts import Counterpart, mjpeg_server, rtsp_server
from tests.waiting import wait_until

#: Nothing here takes as long; a test that fails does.
PATIENCE_S = 30.0


class Taker:
    """Iterates over a source in a thread of its own, as the pipeline does."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.frames: list[Frame] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            for frame in self.source:
                self.frames.append(frame)
        except BaseException as error:
            self.error = error

    def wait_for_more(self, number: int = 1) -> float:
        """Seconds until so many further frames have come."""
        wanted = len(self.frames) + number
        return wait_until(lambda: len(self.frames) >= wanted, lambda: (self.source.health, len(self.frames), wanted))

    def join(self, timeout_s: float = PATIENCE_S) -> None:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "the iteration has not ended"


@pytest.fixture
def take() -> Iterator[Callable[[Source], Taker]]:
    """Begins to take the frames of a source, and closes it after the test."""
    takers = []

    def begin(source: Source) -> Taker:
        takers.append(Taker(source))
        return takers[-1]

    yield begin
    for taker in takers:
        taker.source.close()
        taker.join()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread outlives its test."""
    yield
    wait_until(lambda: not [one for one in threading.enumerate() if one.name.startswith("capture ")])


@pytest.fixture(scope="package")
def steady_mjpeg() -> Iterator[Counterpart]:
    """One for all tests that do it no harm."""
    with mjpeg_server() as server:
        yield server


@pytest.fixture
def mjpeg() -> Iterator[Counterpart]:
    with mjpeg_server() as server:
        yield server


@pytest.fixture
def rtsp() -> Iterator[Counterpart]:
    with rtsp_server() as server:
        yield server
