"""Runs a network, of whatever project or in ncnn's form, so many times.

python repeat.py MODEL TIMES
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

from fusedet.deploy.detector.runtimes.ncnn import NcnnSession
from fusedet.deploy.detector.runtimes.protocol import Session

__all__ = ["repeat"]

_TYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}


def repeat(model: str, times: int) -> None:
    """On noise: how many instructions a network takes hardly depends on what it sees."""
    session = _open(model)
    rng = np.random.default_rng(0)
    feed = {}
    for one in session.get_inputs():
        image = rng.integers(0, 256, one.shape)
        feed[one.name] = (image if one.type == "tensor(uint8)" else image / 255).astype(_TYPES[one.type])
    for _ in range(times):
        session.run(None, feed)


def _open(model: str) -> Session:
    if model.endswith(".param"):
        return NcnnSession(Path(model), threads=1)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session: Session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session


if __name__ == "__main__":
    repeat(sys.argv[1], int(sys.argv[2]))
