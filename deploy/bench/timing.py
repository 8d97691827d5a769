"""Summaries of times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["WIDE_SPREAD", "Stats", "summarise"]

#: From this :attr:`Stats.spread` on the machine did something else as well.
WIDE_SPREAD = 0.3


@dataclass(frozen=True)
class Stats:
    """Times of one thing, in milliseconds.

    Attributes:
        count: how often it was timed.
        min: the least, which other programs disturb least: what to compare between versions.
        p50: the median: half of them were no longer.
        p95: all but 5 in 100 were no longer.
        p99: all but 1 in 100 were no longer.
    """

    count: int
    min: float
    p50: float
    p95: float
    p99: float

    @property
    def spread(self) -> float:
        """How far p95 lies above p50, in parts of p50."""
        return self.p95 / self.p50 - 1 if self.p50 > 0 else 0.0


def summarise(times_ms: Sequence[float]) -> Stats:
    """Percentiles, between two neighbours in proportion, as numpy has them.

    Raises:
        ValueError: there are no times.
    """
    if not len(times_ms):
        raise ValueError("expected at least one time")
    p50, p95, p99 = (float(value) for value in np.percentile(times_ms, (50, 95, 99)))
    return Stats(len(times_ms), float(min(times_ms)), p50, p95, p99)
