"""The signals that end a command in order: what was done is kept and whole."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def on_stop_signals(stop: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Meanwhile Ctrl-C, SIGTERM and the SIGHUP of a terminal that is closed call ``stop``.

    A SIGHUP that is ignored, as under nohup, stays ignored. Does nothing where Python allows no handlers, in other
    threads than the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        numbers.append(hangup)
    before = [(number, signal.signal(number, stop)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
