"""Chooses the number of threads, and whether they spin, from what was measured side by side."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fusedet.deploy.bench.contest import Entrant, Samples
from fusedet.deploy.bench.figures import Figures
from fusedet.deploy.bench.tuned import Tuned
from fusedet.deploy.detector.session import OTHER_RUNTIMES, default_threads

#: A gain below this is not worth a thread, or a core that never rests.
WORTH = 0.05
#: Part of the time between two frames that is to stay free.
MARGIN = 0.2


def candidates(model: Path, threads: int | None = None) -> list[Entrant]:
    """What is tried: 1 thread to the physical cores (at most 4), or ``threads`` alone; from 2 on also spinning.

    Only threads of ONNX Runtime can be told whether to spin.
    """
    counts = range(1, default_threads() + 1) if threads is None else [threads]
    calm = [Entrant(model, count, spinning=False) for count in counts]
    several = [one for one in calm if one.threads > 1 and model.suffix not in OTHER_RUNTIMES]
    return [*calm, *(replace(one, spinning=True) for one in several)]


def choose(samples: Mapping[Entrant, Samples], fps: float | None = None) -> tuple[Tuned, str]:
    """The choice for one model, and in one line why.

    Without ``fps`` latency counts: the fewest threads whose median is within 5 % of the best, spinning only where that
    gains more than 5 % with as many threads. With ``fps``, the rate of a camera, nothing spins, because it would
    between the frames as well, and the fewest threads that hold the rate with a fifth to spare are taken: more would
    only wait for each other. Where none hold it, the fewest threads within 5 % of the best are taken.
    """
    best_of = _contenders(samples, spinning=fps is None)
    if fps is not None:
        enough = next((entrant for entrant in best_of if holds(samples[entrant], fps)), None)
        if enough is not None:
            return _tuned(enough), f"the fewest threads that hold {fps:g} frames/s with a fifth to spare"
    quickest = min(samples[entrant].total.p50 for entrant in best_of)
    few = next(entrant for entrant in best_of if samples[entrant].total.p50 <= quickest * (1 + WORTH))
    if fps is not None:
        return _tuned(few), f"nothing holds {fps:g} frames/s with a fifth to spare; this is within 5 % of the quickest"
    reasons = ["the fewest threads within 5 % of the quickest"] if len(best_of) > 1 else []
    if few.threads > 1:
        reasons.append(f"spinning gains {'more' if few.spinning else 'no more'} than 5 %")
    return _tuned(few), "; ".join(reasons) or "nothing else was tried"


def holds(samples: Samples, fps: float) -> bool:
    """Whether 95 of 100 frames take at most four fifths of the time between two."""
    return samples.total.p95 <= (1 - MARGIN) * 1e3 / fps


def largest_that_holds(figures: Sequence[Figures], fps: float) -> Figures | None:
    """Of several models the one with most pixels in its input that holds the rate, the quickest of those; or None."""
    able = [one for one in figures if holds(one.samples, fps)]
    return max(able, key=lambda one: (math.prod(one.input_size), -one.samples.total.p50), default=None)


def _contenders(samples: Mapping[Entrant, Samples], *, spinning: bool) -> list[Entrant]:
    """One of each number of threads, the fewest first: the one that does not spin, unless spinning is worth it."""
    contenders = list[Entrant]()
    for calm in sorted((one for one in samples if not one.spinning), key=lambda one: one.threads):
        other = replace(calm, spinning=True)
        gains = spinning and other in samples
        gains = gains and samples[other].total.p50 < samples[calm].total.p50 * (1 - WORTH)
        contenders.append(other if gains else calm)
    return contenders


def _tuned(entrant: Entrant) -> Tuned:
    return Tuned(entrant.threads, entrant.spinning)
