"""What a person sees in a terminal: colour, width, and that a command is at work. Nothing of it goes into files."""

import os
import shutil
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, TextIO

#: Seconds without output after which a command says that it is at work, and how often it says so again.
_SILENCE_S, _EVERY_S = 0.5, 1.0
_CLEAR = "\r\033[K"

#: Seconds between two changes of what it says.
_CHANGE_S = 0.1

_hidden = False
_active: "_Line | None" = None


def bold(text: str, stream: TextIO) -> str:
    """``text`` as a heading, where ``stream`` is a terminal that has colours."""
    return f"\033[1m{text}\033[0m" if _has_colour(stream) else text


def red(text: str, stream: TextIO) -> str:
    """``text`` as an error, where ``stream`` is a terminal that has colours."""
    return f"\033[1;31m{text}\033[0m" if _has_colour(stream) else text


def _has_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def wrapped(text: str, stream: TextIO) -> str:
    """A long line broken between words, where ``stream`` is a terminal; a path or a command stays whole."""
    if not stream.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return textwrap.fill(text, max(width, 20), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def print_columns(rows: Sequence[Sequence[str]], left: int = 1) -> None:
    """Prints a table of texts, of which the first ``left`` columns stand to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            text.ljust(width) if i < left else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def show_progress(shown: bool) -> None:
    """Whether commands say on a terminal how far they are: not with ``--quiet``."""
    global _hidden
    _hidden = not shown


def say_progress(text: str) -> None:
    """How far the command is, such as ``12 images``; only where :func:`working` shows its line."""
    if _active is not None:
        _active.tell(text)


@contextmanager
def working(what: str, silence_s: float = _SILENCE_S, every_s: float = _EVERY_S) -> Iterator[None]:
    """While a command says nothing, a line on the terminal says that it is at work, and for how long.

    The line is gone before anything else is printed. Standard output and standard error are watched for that.
    """
    global _active
    if _hidden or not sys.stderr.isatty():
        yield
        return
    line = _active = _Line(sys.stderr, what)
    before = sys.stdout, sys.stderr
    done = threading.Event()

    def tick() -> None:
        while not done.wait(silence_s if line.silent_s() < silence_s else every_s):
            line.show(silence_s)

    ticker = threading.Thread(target=tick, daemon=True)
    sys.stdout, sys.stderr = _Watched(before[0], line), _Watched(before[1], line)
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()
        line.clear()
        _active = None
        sys.stdout, sys.stderr = before


class _Line:
    """The line; it is shown only where the cursor stands at the beginning of one."""

    def __init__(self, terminal: TextIO, what: str) -> None:
        self._terminal, self._what, self._detail = terminal, what, ""
        self._lock = threading.RLock()
        self._begin = self._last = self._told = monotonic()
        self._is_shown, self._at_start = False, True

    def silent_s(self) -> float:
        """Seconds since something was printed."""
        return monotonic() - self._last

    def tell(self, text: str) -> None:
        """Says how far the command is, but not more often than anyone can read."""
        with self._lock:
            self._detail = f": {text}"
            if monotonic() - self._told >= _CHANGE_S:
                self._told = monotonic()
                self.show(0)

    def show(self, silence_s: float) -> None:
        """Writes it, unless the command has spoken just now."""
        with self._lock:
            if self._at_start and self.silent_s() >= silence_s:
                self._terminal.write(f"{_CLEAR}{self._what}{self._detail} ... {monotonic() - self._begin:.0f} s")
                self._terminal.flush()
                self._is_shown = True

    def clear(self) -> None:
        """Takes it away."""
        with self._lock:
            if self._is_shown:
                self._terminal.write(_CLEAR)
                self._terminal.flush()
            self._is_shown = False

    def write(self, stream: TextIO, text: str) -> int:
        """Writes what the command says instead of it."""
        with self._lock:
            self.clear()
            self._last = monotonic()
            if text:
                self._at_start = text.endswith("\n")
            return stream.write(text)


class _Watched:
    """A stream that takes the line away before it writes; everything else is the stream's own."""

    def __init__(self, stream: TextIO, line: _Line) -> None:
        self._stream, self._line = stream, line

    def write(self, text: str) -> int:
        """See :class:`typing.TextIO`."""
        return self._line.write(self._stream, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
