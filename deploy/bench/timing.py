"""Times calls in turn or on all cores, and summarises times."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.pool import DetectorPool
from fusedet.deploy.detector.runtimes.protocol import Session
from fusedet.deploy.detector.session import open_session

Name = TypeVar("Name")

#: From this :attr:`Stats.spread` on the machine did something else as well.
WIDE_SPREAD = 0.3


@dataclass(frozen=True)
class Stats:
    """Times of one thing, in milliseconds."""

    count: int  # how often it was timed
    min: float  # the least, which other programs disturb least: what to compare between versions
    p50: float  # the median: half of them were no longer
    p95: float  # all but 5 in 100 were no longer
    p99: float  # all but 1 in 100 were no longer

    @property
    def spread(self) -> float:
        """How far p95 lies above p50, in parts of p50."""
        return self.p95 / self.p50 - 1 if self.p50 > 0 else 0.0


@dataclass(frozen=True)
class Throughput:
    """Images a second, letterbox and reading of the outputs included, with ``at_a_time`` of them looked at at once."""

    at_a_time: int
    images_per_s: float


def summarise(times_ms: Sequence[float]) -> Stats:
    """Percentiles, between two neighbours in proportion, as numpy has them.

    Raises:
        ValueError: there are no times.
    """
    if not len(times_ms):
        raise ValueError("expected at least one time")
    p50, p95, p99 = (float(value) for value in np.percentile(times_ms, (50, 95, 99)))
    return Stats(len(times_ms), float(min(times_ms)), p50, p95, p99)


def time_in_turn(
    calls: Mapping[Name, Callable[[], object]],
    rounds: int,
    *,
    warm_up: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Name, list[float]]:
    """Milliseconds of each call in each round. Calls take turns, so that a slow moment of the machine hits all alike.

    ``warm_up`` rounds come first and do not count: the first runs of a network lay out its memory. ``clock`` is in
    seconds.
    """
    times: dict[Name, list[float]] = {name: [] for name in calls}
    for number in range(warm_up + rounds):
        for name, call in calls.items():
            start = clock()
            call()
            if number >= warm_up:
                times[name].append((clock() - start) * 1e3)
    return times


def time_files(files: Mapping[str, Path], *, rounds: int = 50, threads: int = 1) -> dict[str, list[float]]:
    """Milliseconds of ONNX files on noise, in turn: the network with its decoding, without letterbox and NMS.

    Raises:
        InputError: a file cannot be run.
    """
    sessions = {name: open_session(path, threads) for name, path in files.items()}
    runs = {name: partial(session.run, None, random_feed(session)) for name, session in sessions.items()}
    return time_in_turn(runs, rounds, warm_up=5)


def measure_throughput(model: Path, images_bgr: Sequence[NDArray[np.uint8]], rounds: int) -> Throughput:
    """Runs a model on ``rounds`` images with all cores busy, an image each; the detectors' first calls do not count.

    Raises:
        InputError: the model cannot be used.
    """
    pool = DetectorPool(model)
    for detector in pool.detectors:
        detector(images_bgr[0])
    start = time.perf_counter()
    count = sum(1 for _ in pool.map(islice(cycle(images_bgr), rounds)))
    return Throughput(len(pool), count / (time.perf_counter() - start))


def random_feed(session: Session, side: int = 320) -> dict[str, NDArray[Any]]:
    """Noise for each input of a session; a dimension that is left open is 1 in front and ``side`` elsewhere."""
    rng = np.random.default_rng(0)
    feed = dict[str, NDArray[Any]]()
    for tensor in session.get_inputs():
        shape = [size if isinstance(size, int) else (side if i else 1) for i, size in enumerate(tensor.shape)]
        if tensor.type == "tensor(uint8)":
            feed[tensor.name] = rng.integers(0, 256, shape, dtype=np.uint8)
        elif tensor.type == "tensor(int64)":
            feed[tensor.name] = np.full(shape, side, np.int64)
        else:
            feed[tensor.name] = rng.random(shape, dtype=np.float32)
    return feed


def clock_of(threads: int) -> Callable[[], float]:
    """One thread is timed by its own clock, which stands still while another program has the core; more by the wall."""
    return time.thread_time if threads == 1 else time.perf_counter
