"""How long an exported file takes for one image on this machine: a quick look, no benchmark."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.detector import Detector, Timings

_WARM_UP, _ROUNDS = 3, 30


@dataclass(frozen=True)
class FileLatency:
    """Median times of one exported file in milliseconds, on one thread."""

    name: str
    size: int  # in bytes
    pre: float  # letterbox
    network: float  # the network with its decoding
    post: float  # thresholds, and NMS where the file needs it
    fastest: float  # of the three together, the fastest round


def exports_beside(folder: Path) -> list[Path]:
    """Exported files that lie in the run folder."""
    return sorted(folder.glob("*.onnx"))


def measure_latency(paths: Sequence[Path], image_bgr: NDArray[np.uint8]) -> list[FileLatency]:
    """Runs files on one image, in turn, so that a slow moment of the machine hits all alike.

    Raises:
        InputError: a file cannot be run.
    """
    detectors = [Detector(path, threads=1) for path in paths]
    rounds = []
    for _ in range(_WARM_UP + _ROUNDS):
        for detector in detectors:
            detector(image_bgr)
        rounds.append([detector.timings for detector in detectors])
    return [_summary(path, times) for path, times in zip(paths, zip(*rounds[_WARM_UP:], strict=True), strict=True)]


def _summary(path: Path, times: Sequence[Timings]) -> FileLatency:
    pre, network, post = (
        statistics.median(getattr(one, part) for one in times) for part in ("pre", "inference", "post")
    )
    return FileLatency(path.name, path.stat().st_size, pre, network, post, min(one.total for one in times))
