"""A limit of time for a piece of a test that may hang."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limit(seconds: float, error: BaseException) -> Iterator[None]:
    """Raises ``error`` in the block when it lasts longer; in the main thread only."""

    def stop(*_: object) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
