"""Files in the formats of other projects, whose outputs are constants: what they mean can be worked out by hand."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Outputs = Mapping[str, NDArray[np.generic]]
MakeFile = Callable[..., Path]


def build(
    inputs: Mapping[str, tuple[int, list[int]]], outputs: Outputs, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    """A graph that gives ``outputs`` whatever comes in; ``inputs`` are name -> (element type, shape)."""
    graph = helper.make_graph(
        [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(v)) for name, v in outputs.items()],
        "constants",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            for name, value in outputs.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata))
    return model


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """Writes :func:`build`'s model, whose picture input is a square of ``side``, and returns its path."""

    def make(outputs: Outputs, side: int, name: str = "images", **metadata: str) -> Path:
        inputs = {name: (TensorProto.FLOAT, [1, 3, side, side])}
        if "labels" in outputs:
            inputs["orig_target_sizes"] = (TensorProto.INT64, [1, 2])
        path = tmp_path / "foreign.onnx"
        onnx.save(build(inputs, outputs, metadata), path)
        return path

    return make
