"""How the process of a command behaves: what it logs, what OpenCV may say, and which signals end it in order."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from fusedet.common.addresses import hide_in_text


def silence_opencv() -> None:
    """Keeps OpenCV and FFmpeg from talking at length, with passwords; unless the user has set something else.

    Call it before OpenCV is imported, which reads this when it loads.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class _WithoutSecrets(logging.Formatter):
    """Of whatever an unforeseen error quotes, tracebacks too, no address shows its login."""

    def format(self, record: logging.LogRecord) -> str:
        return hide_in_text(super().format(record))


def log_to_stderr(form: str) -> None:
    """One line a message, from level INFO on; ``form`` is of :class:`logging.Formatter`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WithoutSecrets(form, datefmt="%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


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
