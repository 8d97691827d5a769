"""What ``fusedet detect`` says: the model, each image, how far it is, and a summary."""

import shutil
import sys
from collections import Counter, deque
from textwrap import shorten
from time import perf_counter
from typing import TYPE_CHECKING, TextIO

from fusedet.common.text import counted

if TYPE_CHECKING:  # the runtime itself is imported when the command runs
    from fusedet.deploy.camera.result import Result
    from fusedet.deploy.camera.sources import Source
    from fusedet.deploy.detector.detections import Detections
    from fusedet.deploy.detector.detector import Detector, Timings
    from fusedet.deploy.detector.pool import DetectorPool

_PROGRESS_EVERY_S = 0.2
#: Times are summed up over the last so many images: a camera may run for weeks.
_MOST_TIMINGS = 10_000
_MOST_CHARACTERS = 40
#: Goes to the start of a terminal's line, and wipes it out.
_WIPE = "\r\x1b[K"


class DetectReport:
    """Says what is found while it is found, and sums it up.

    Each image of files gets a line. A video or a camera has too many frames for that: a terminal shows the newest one,
    in a line that is written over.
    """

    def __init__(self, stream: TextIO, source: "Source", limit: int | None = None, *, quiet: bool = False) -> None:
        """Lines and summary go to ``stream``; progress goes to standard error, where that is a terminal."""
        self._stream = stream
        self._source = source
        self._limit = limit
        self._quiet = quiet
        self._live_line = source.fps is not None and not quiet and sys.stderr.isatty()
        self._detections: Counter[str] = Counter()
        self._tracks: Counter[str] | None = None
        self._newest_track = 0
        self._count = 0
        self._at_a_time = 1
        self._timings: deque[Timings] = deque(maxlen=_MOST_TIMINGS)
        self._start_s = self._last_s = perf_counter()
        self._shown_s = 0.0

    def start(self, model: str, pool: "DetectorPool") -> None:
        """Names the model, and starts the clock."""
        self._at_a_time = len(pool)
        if not self._quiet:
            self._say(f"model: {model}, {_takes(pool.detectors[0])}")
        self._start_s = self._last_s = perf_counter()

    def add(self, result: "Result") -> None:
        """Counts one image and says what is in it."""
        self._detections.update(result.detections.labels)
        self._add_tracks(result.detections)
        self._count += 1
        self._timings.append(result.timings)
        self._last_s = perf_counter()
        if self._live_line:
            self._show_progress(result)
        elif self._source.fps is None and not self._quiet:
            self._say(f"image {self._place(result)} {result.frame.source}: {_what(result)}")

    def finish(self) -> None:
        """Prints the summary. The rate is of everything: reading, detecting, drawing and writing."""
        if self._live_line:
            print(_WIPE, end="", file=sys.stderr, flush=True)
        thing = "image" if self._source.fps is None else "frame"
        if self._count:
            self._print_counts(thing)
            self._print_timings()
        if self._source.unreadable:
            print(f"left out: {counted(self._source.unreadable, thing)} that could not be read", file=self._stream)

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

    def _add_tracks(self, detections: "Detections") -> None:
        """A track counts when it is first seen: numbers rise, so only the highest has to be remembered."""
        if detections.track_ids is None:
            return
        numbers = detections.track_ids.tolist()
        new = [label for label, number in zip(detections.labels, numbers, strict=True) if number > self._newest_track]
        self._tracks = (self._tracks or Counter()) + Counter(new)
        self._newest_track = max([self._newest_track, *numbers])

    def _place(self, result: "Result") -> str:
        """Such as ``2/17``. Files that could not be read have a place, but are not counted by the limit."""
        files = len(self._source.files)
        most = files if self._limit is None else min(files, self._limit + self._source.unreadable)
        return f"{result.frame.index + 1}/{most}"

    def _show_progress(self, result: "Result") -> None:
        if self._last_s - self._shown_s < _PROGRESS_EVERY_S:
            return
        self._shown_s = self._last_s
        width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be written over
        print(
            f"{_WIPE}{f'frame {result.frame.index + 1}: {_what(result)}':.{width}}", end="", file=sys.stderr, flush=True
        )

    def _print_counts(self, thing: str) -> None:
        parts = [counted(self._count, thing), counted(self._detections.total(), "detection")]
        if self._tracks is not None:
            parts.insert(1, counted(self._tracks.total(), "track"))
        rate = self._count / (self._last_s - self._start_s)
        together = f", {self._at_a_time} at a time" if self._at_a_time > 1 else ""
        print(f"{', '.join(parts)}, {rate:.1f} {thing}s/s{together}", file=self._stream)
        for name, detections in self._detections.most_common():
            print(f"  {name}: {self._class_count(name, detections)}", file=self._stream)
        if self._source.fps is not None and self._tracks is None and self._detections:
            print("  each frame counts its detections anew; --track counts objects", file=self._stream)

    def _class_count(self, name: str, detections: int) -> str:
        if self._tracks is not None:
            return f"{counted(self._tracks[name], 'track')} ({counted(detections, 'detection')})"
        if self._source.fps is not None:
            return f"{counted(detections, 'detection')}, {detections / self._count:.1f} a frame"
        return f"{detections:,}"

    def _print_timings(self) -> None:
        import numpy as np

        print("ms            p50     p95", file=self._stream)
        for label, part in (("pre", "pre"), ("network", "inference"), ("post", "post")):
            half, most = np.percentile([getattr(timings, part) for timings in self._timings], (50, 95))
            print(f"  {label:<8}{half:7.2f} {most:7.2f}", file=self._stream)


def _takes(detector: "Detector") -> str:
    """Input size and classes."""
    height, width = detector.input_size
    number = counted(len(detector.names), "class", "classes")
    if detector.classes is not None:
        number = f"{len(set(detector.classes))} of {number}"
    names = shorten(", ".join(detector.classes or detector.names), _MOST_CHARACTERS, placeholder=" ...")
    return f"input {width} x {height}, {number}: {names}"


def _what(result: "Result") -> str:
    """Such as ``3 person, 1 car, 12.3 ms``; the most frequent class first."""
    counts = Counter(result.detections.labels).most_common()
    found = ", ".join(f"{number} {name}" for name, number in counts) or "no detections"
    return f"{found}, {result.timings.total:.1f} ms"
