"""How long an exported file takes for one image on this machine: a quick look, no benchmark."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.bench.contest import Entrant, Plan, Samples, take_turns

_ROUNDS = 30


@dataclass(frozen=True)
class FileLatency:
    """Median times of one exported file in milliseconds, on one thread."""

    name: str
    size: int  # in bytes
    pre: float  # letterbox
    network: float  # the network with its decoding
    post: float  # thresholds, and NMS where the file needs it
    fastest: float  # of the three together, the fastest round


def measure_latency(paths: Sequence[Path], image_bgr: NDArray[np.uint8]) -> list[FileLatency]:
    """Runs files on one image, in turn. Raises InputError if a file cannot be run."""
    samples = {Entrant(path, threads=1, spinning=False): Samples() for path in paths}
    take_turns(samples, lambda path: [image_bgr], Plan(rounds=_ROUNDS))
    return [_summary(entrant.model, times) for entrant, times in samples.items()]


def _summary(path: Path, times: Samples) -> FileLatency:
    pre, network, post = map(statistics.median, (times.pre, times.inference, times.post))
    return FileLatency(path.name, path.stat().st_size, pre, network, post, times.total.min)
