"""Times of networks that run in turn, and what other programs computed meanwhile."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.speed.latency import Entry, measure, open_session
from fusedet.deploy.bench.timing import clock_of, random_feed, summarise


def time_in_turns(files: Mapping[str, Path | bytes], threads: int, rounds: int) -> dict[str, dict[str, float | None]]:
    """Milliseconds of ONNX files, each run once in every round: ``ms_min``, ``ms_median``, ``ms_p95`` by name.

    See :func:`clock_of` for which milliseconds.
    """
    entries = []
    for name, file in files.items():
        session = open_session(file if isinstance(file, bytes) else str(file), threads)
        entries.append(Entry(name, session, random_feed(session, 320)))
    found = {name: summarise(own) for name, own in measure(entries, rounds, clock_of(threads)).items()}
    return {name: {"ms_min": one.min, "ms_median": one.p50, "ms_p95": one.p95} for name, one in found.items()}


def ratios(values: Mapping[str, float | None], to: Mapping[str, float | None]) -> dict[str, float | None]:
    """Of minimum and median to another thing's in the same run."""
    pairs = {name: (values[f"ms_{name}"], to[f"ms_{name}"]) for name in ("min", "median")}
    return {f"ratio_{name}": own / base if own and base else None for name, (own, base) in pairs.items()}


class OtherWork:
    """What other programs compute from now on."""

    def __init__(self) -> None:
        self._start = self._now()

    def cores(self) -> float | None:
        """Kept busy by them on average; None where the system does not tell."""
        if self._start is None or (now := self._now()) is None:
            return None
        wall, everybody, own = (after - before for after, before in zip(now, self._start, strict=True))
        return max(0.0, (everybody - own) / wall) if wall > 0 else None

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        """Seconds: of the clock, of all cores' work, of this process and its children that have ended."""
        try:
            words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        except OSError:
            return None
        user, nice, system, _idle, _wait, irq, soft_irq, steal = (int(word) for word in words[:8])
        ticks = user + nice + system + irq + soft_irq + steal
        return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])
