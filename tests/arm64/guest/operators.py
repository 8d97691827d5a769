"""What ONNX Runtime makes of a model on this processor: the graph that it saves, and the kinds of operators that ran.

python operators.py MODEL OUT.onnx
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

from fusedet.deploy.bench.operators import profile
from fusedet.deploy.detector.session import open_session

__all__ = ["operators"]


def operators(model: Path, out: Path) -> dict[str, int]:
    """Writes the optimised graph; how many nodes of each kind ran."""

    def adjust(options: ort.SessionOptions) -> None:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.optimized_model_filepath = str(out)
        options.log_severity_level = 3  # it warns that the graph is bound to this processor, which is the point

    open_session(model, threads=1, adjust=adjust)
    ran = profile(model, np.zeros((64, 64, 3), np.uint8), threads=1, rounds=1)
    return {kind: count for kind, count, _ in ran.by_kind()}


if __name__ == "__main__":
    print(json.dumps(operators(*map(Path, sys.argv[1:]))))
