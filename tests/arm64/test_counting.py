"""Instructions are counted: twice the work is twice as many."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.arm64.counting import count_runs
from tests.arm64.emulator import Emulator

pytestmark = [
    pytest.mark.arm64,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: on Debian, apt-get install gcc"),
]


def convolutions(path: Path, layers: int) -> Path:
    """A file of dense 3x3 convolutions, 32 channels on 40 x 40."""
    shape = [1, 32, 40, 40]
    weights = numpy_helper.from_array(np.full((32, 32, 3, 3), 0.01, np.float32), "w")
    nodes = [helper.make_node("Conv", [f"x{i}", "w"], [f"x{i + 1}"], pads=[1] * 4) for i in range(layers)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x0", f"x{layers}")]
    graph = helper.make_graph(nodes, "convolutions", ends[:1], ends[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_counts_work(emulator: Emulator, tmp_path: Path) -> None:
    small, large = (
        count_runs(emulator, convolutions(tmp_path / f"{layers}.onnx", layers), runs=8) for layers in (2, 4)
    )

    macs = 2 * 32 * 32 * 9 * 40 * 40
    assert macs / 4 <= small.vector <= macs  # four multiply-accumulates an instruction at best, one at worst
    assert large.vector == pytest.approx(2 * small.vector, rel=0.02)
    assert large.total == pytest.approx(2 * small.total, rel=0.1)
