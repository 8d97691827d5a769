"""How long an exported file takes for one picture on this machine: a quick look, no benchmark."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector import Detector

__all__ = ["FileLatency", "exports_beside", "measure"]

_WARM_UP, _ROUNDS = 3, 30


@dataclass(frozen=True)
class FileLatency:
    """Median times of one exported file in milliseconds, on one thread.

    Attributes:
        name: of the file.
        size: in bytes.
        pre: letterbox.
        network: the network with its decoding.
        post: thresholds, and NMS where the file needs it.
        fastest: of the three together, the fastest round.
    """

    name: str
    size: int
    pre: float
    network: float
    post: float
    fastest: float


def exports_beside(folder: Path) -> list[Path]:
    """Exported files that lie in the run folder."""
    return sorted(folder.glob("*.onnx"))


def measure(path: Path, image_bgr: NDArray[np.uint8]) -> FileLatency:
    """Runs a file on one picture, over and over.

    Raises:
        InputError: the file cannot be run.
    """
    detector = Detector(path, threads=1)
    timings = []
    for _ in range(_WARM_UP + _ROUNDS):
        detector(image_bgr)
        timings.append(detector.timings)
    timings = timings[_WARM_UP:]
    pre, network, post = (
        statistics.median(getattr(one, part) for one in timings) for part in ("pre", "inference", "post")
    )
    return FileLatency(path.name, path.stat().st_size, pre, network, post, min(one.total for one in timings))
