"""Latency of several files in one run: each round times each of them once, so that a slow moment hits them all."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import onnxruntime as ort

from fusedet.deploy.detector.session import open_session

__all__ = ["Race", "race"]

_WARM_UP = 5


@dataclass(frozen=True)
class Race:
    """Times of one run.

    Attributes:
        threads: of each file.
        rounds: how often each was timed.
        milliseconds: by name, one for each round; the network with its decoding, without letterbox and NMS.
    """

    threads: int
    rounds: int
    milliseconds: dict[str, list[float]]


def race(files: Mapping[str, Path], *, rounds: int = 50, threads: int = 1) -> Race:
    """Times ONNX files on noise of their input's size.

    Raises:
        InputError: a file cannot be run.
    """
    runners = {name: _Runner(open_session(path, threads)) for name, path in files.items()}
    for runner in runners.values():
        for _ in range(_WARM_UP):
            runner.run()
    times: dict[str, list[float]] = {name: [] for name in files}
    for _ in range(rounds):
        for name, runner in runners.items():
            start = perf_counter()
            runner.run()
            times[name].append((perf_counter() - start) * 1e3)
    return Race(threads, rounds, times)


class _Runner:
    """A session and something to feed it."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        network_input = session.get_inputs()[0]
        shape = [side if isinstance(side, int) else 1 for side in network_input.shape]
        noise = np.random.default_rng(0).integers(0, 256, shape)
        array = noise.astype(np.uint8) if "uint8" in network_input.type else (noise / 255).astype(np.float32)
        self._feed = {network_input.name: array}

    def run(self) -> None:
        self._session.run(None, self._feed)
