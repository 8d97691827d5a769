"""Times settings of one or several models side by side.

Each block of rounds opens a detector anew, times it and closes it before the next one's turn: threads that spin go on
doing so for a while after their work, and would slow whoever runs beside them. Blocks take turns, so that a slow minute
of the machine hits all alike.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.bench.health import Reading, read_health
from fusedet.deploy.bench.timing import WIDE_SPREAD, Stats, summarise
from fusedet.deploy.detector.detector import Detector

#: Runs that lay out the memory before anything counts.
_WARM_UP = 3
_BLOCKS = 5
_Tell = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Entrant:
    """What is timed: a model with settings."""

    model: Path
    threads: int
    spinning: bool

    @property
    def settings(self) -> str:
        """For people."""
        return f"{self.threads} thread{'s' if self.threads > 1 else ''}{', spinning' if self.spinning else ''}"


@dataclass(frozen=True)
class Plan:
    """How long to measure, and at which pace."""

    rounds: int = 200  # runs of each entrant; not used with ``seconds``
    seconds: float | None = None  # that each entrant is timed for; None: ``rounds`` count
    #: frames arrive at this rate, as from a camera, and the process sleeps in between; None: one after the other
    fps: float | None = None


@dataclass
class Samples:
    """What was measured of one entrant. Times are in milliseconds, a value for each run."""

    pre: list[float] = field(default_factory=list)  # letterbox and conversion
    inference: list[float] = field(default_factory=list)  # the network
    #: thresholds, NMS or the removal of duplicate detections, mapping boxes back
    post: list[float] = field(default_factory=list)
    #: from a frame's arrival to its boxes, the end of the frame before it awaited
    age: list[float] = field(default_factory=list)
    dropped: int = 0  # frames that were never looked at, because a newer one was there; only with a camera's pace
    wall_s: float = 0.0  # seconds of all blocks, warm-up excluded
    cpu_s: float = 0.0  # seconds that all threads of the process computed in that time, spinning included
    health: list[Reading] = field(default_factory=list)  # a reading after each block

    def __len__(self) -> int:
        return len(self.age)

    @property
    def total(self) -> Stats:
        """Of the whole call."""
        return summarise([sum(parts) for parts in zip(self.pre, self.inference, self.post, strict=True)])

    @property
    def ages(self) -> Stats:
        """Of the boxes when they are there."""
        return summarise(self.age)

    @property
    def unsteady(self) -> bool:
        """Times spread so far that the machine must have done something else as well."""
        return self.total.spread > WIDE_SPREAD

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of computing for a frame, by all threads."""
        return self.cpu_s / len(self) * 1e3


def take_turns(
    samples: Mapping[Entrant, Samples],
    images: Callable[[Path], Sequence[NDArray[np.uint8]]],
    plan: Plan,
    *,
    between: Callable[[], None] = lambda: None,
    tell: _Tell = lambda what, done, of: None,
) -> None:
    """Times entrants. What is measured stands in their ``samples`` also when Ctrl-C ends it.

    Args:
        samples: of each entrant, empty yet.
        images: of a model, taken in turn.
        plan: how long and at which pace.
        between: called after each block, when no detector is open.
        tell: called after each run with who runs, how many runs it has had, and of how many (None: not known).

    Raises:
        InputError: a model cannot be used.
    """
    blocks = _BLOCKS if plan.seconds is not None else min(_BLOCKS, plan.rounds)
    for block in range(blocks):
        runs = plan.rounds * (block + 1) // blocks - plan.rounds * block // blocks
        seconds = None if plan.seconds is None else plan.seconds / blocks
        of = plan.rounds if seconds is None else None
        for entrant, own in samples.items():
            _block(entrant, own, images(entrant.model), _arrivals(runs, seconds, plan.fps), tell, of)
            between()


def _block(
    entrant: Entrant,
    samples: Samples,
    images: Sequence[NDArray[np.uint8]],
    arrivals: Iterator[tuple[float, int]],
    tell: _Tell,
    of: int | None,
) -> None:
    detector = Detector(entrant.model, threads=entrant.threads, allow_spinning=entrant.spinning)
    for _ in range(_WARM_UP):
        detector(images[0])
    started, computed = time.perf_counter(), time.process_time()
    try:
        for arrived, dropped in arrivals:
            detector(images[len(samples) % len(images)])
            done = time.perf_counter()
            times = detector.timings
            samples.pre.append(times.pre)
            samples.inference.append(times.inference)
            samples.post.append(times.post)
            samples.age.append((done - arrived) * 1e3)
            samples.dropped += dropped
            tell(f"{entrant.model.name}, {entrant.settings}", len(samples), of)
    finally:
        samples.wall_s += time.perf_counter() - started
        samples.cpu_s += time.process_time() - computed
        samples.health.append(read_health())


def _arrivals(runs: int, seconds: float | None, fps: float | None) -> Iterator[tuple[float, int]]:
    """When each frame was there, and how many before it were dropped because a newer one was there already.

    It ends after ``seconds``, one frame being the least, else after ``runs`` frames.
    """
    start, done, frame = time.perf_counter(), 0, 0
    while done < runs if seconds is None else done == 0 or time.perf_counter() - start < seconds:
        now, dropped = time.perf_counter(), 0
        if fps is None:
            arrived = now
        else:
            newest = max(frame, int((now - start) * fps))
            dropped, frame, arrived = newest - frame, newest + 1, start + newest / fps
            time.sleep(max(0.0, arrived - now))
        yield arrived, dropped
        done += 1
    if fps is not None:  # the last frame's time is over when the next one would come
        time.sleep(max(0.0, start + frame / fps - time.perf_counter()))
