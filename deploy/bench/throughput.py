"""Images a second with all cores busy, an image each: what folders, videos and evaluation take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.pool import DetectorPool


@dataclass(frozen=True)
class Throughput:
    """What was measured.

    Attributes:
        at_a_time: images that are looked at in parallel, one thread each.
        images_per_s: whole calls: letterbox, network, reading of the outputs.
    """

    at_a_time: int
    images_per_s: float


def measure_throughput(model: Path, images_bgr: Sequence[NDArray[np.uint8]], rounds: int) -> Throughput:
    """Runs ``model`` on ``rounds`` images on all cores, the first call of each detector excluded.

    Args:
        model: the file or bundle.
        images_bgr: taken in turn.
        rounds: at least 1.

    Raises:
        InputError: the model cannot be used.
    """
    pool = DetectorPool(model)
    for detector in pool.detectors:
        detector(images_bgr[0])
    start = time.perf_counter()
    count = sum(1 for _ in pool.map(islice(cycle(images_bgr), rounds)))
    return Throughput(len(pool), count / (time.perf_counter() - start))
