"""Files in the formats of other projects, whose outputs are constants: what they mean can be worked out by hand."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fusedet.deploy.detector.formats.coco_names import COCO_NAMES

Outputs = Mapping[str, NDArray[np.generic]]
MakeFile = Callable[..., Path]

DOG = COCO_NAMES.index("dog")
#: ``{0: 'cat', ...}`` is what Ultralytics writes.
ULTRALYTICS = {"author": "Ultralytics", "task": "detect", "names": "{0: 'cat', 1: 'dog'}"}


def yolox(score: float = 0.9) -> Outputs:
    """At 32 px: stride 8, cell (1, 0): centre (12, 4), 16 px wide and high. Everything else is unlikely."""
    rows = np.zeros((1, 16 + 4 + 1, 85), np.float32)
    rows[0, 1, :5] = [0.5, 0.5, np.log(2), np.log(2), 1]
    rows[0, 1, 5 + DOG] = score
    return {"output": rows}


def yolox_decoded(score: float = 0.9) -> Outputs:
    """The same box, and every other one at its cell, in pixels, as ``--decode_in_inference`` gives it."""
    rows = yolox(score)["output"].copy()
    for start, stride in ((0, 8), (16, 16), (20, 32)):
        cells = np.indices((32 // stride,) * 2).reshape(2, -1)[::-1].T
        part = rows[0, start : start + len(cells)]
        part[:, :2] = (part[:, :2] + cells) * stride
        part[:, 2:4] = np.exp(part[:, 2:4]) * stride
    return {"output": rows}


def fastestdet(score: float = 0.9) -> Outputs:
    """At 64 px: cell (1, 2), centre (24, 40), half as wide and a quarter as high as the image."""
    maps = np.full((1, 85, 4, 4), -9, np.float32)
    maps[0, 0], maps[0, 5:], maps[0, 5] = 0, 0, 1  # objectness and classes
    maps[0, [0, 1, 2, 3, 4], 2, 1] = 1, np.arctanh(0.5), np.arctanh(0.5), 0, np.log(1 / 3)
    maps[0, 5:, 2, 1] = (1 - score**2.5) / 79  # a score is the class to the power of 0.4
    maps[0, 5 + DOG, 2, 1] = score**2.5
    return {"758": maps}


def nanodet(score: float = 0.9) -> Outputs:
    """The box of :func:`picodet`, without the last map."""
    maps = list(picodet(score).values())
    return {f"out_{i}": array for i, array in enumerate([*maps[:3], *maps[4:7]])}


def picodet(score: float = 0.9) -> Outputs:
    """At 64 px: stride 16, cell (1, 2): centre (24, 40), from which each side is one stride away, the top one half."""
    counts = [(64 // stride) ** 2 for stride in (8, 16, 32, 64)]
    scores = [np.zeros((1, count, 80), np.float32) for count in counts]
    sides = [np.zeros((1, count, 32), np.float32) for count in counts]
    place = 2 * 4 + 1
    scores[1][0, place, DOG] = score
    bins = np.full((4, 8), -50, np.float32)
    bins[[0, 2, 3], 1] = 50
    bins[1, :2] = 50  # as likely 0 as 1
    sides[1][0, place] = bins.ravel()
    return {f"out_{i}": array for i, array in enumerate([*scores, *sides])}


def detr(score: float = 0.9) -> Outputs:
    """In pixels of a 32-px input; the second box reaches beyond it."""
    return {
        "labels": np.array([[DOG, 0]], np.int64),
        "boxes": np.array([[[2.5, 10, 12.5, 30], [25, 20, 50, 45]]], np.float32),
        "scores": np.array([[score, 0.5]], np.float32),
    }


def ultralytics_final(score: float = 0.9) -> Outputs:
    """At 32 px the image lies between rows 8 and 24."""
    return {"output0": np.array([[[4, 10, 12, 20, score, 1], [0, 8, 4, 12, 0, 0]]], np.float32)}


def ultralytics_raw(score: float = 0.9) -> Outputs:
    """The same box twice, as centre and size, the second time a little shifted and less sure."""
    rows = np.zeros((1, 4 + 2, 21), np.float32)
    rows[0, :4, 3] = [8, 15, 8, 10]
    rows[0, :4, 7] = [9, 15, 8, 10]
    rows[0, 5, [3, 7]] = score, score / 2
    return {"output0": rows}


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
    """Writes :func:`build`'s model, whose image input is a square of ``side``, and returns its path."""

    def make(outputs: Outputs, side: int, name: str = "images", **metadata: str) -> Path:
        inputs = {name: (TensorProto.FLOAT, [1, 3, side, side])}
        if "labels" in outputs:
            inputs["orig_target_sizes"] = (TensorProto.INT64, [1, 2])
        path = tmp_path / "foreign.onnx"
        onnx.save(build(inputs, outputs, metadata), path)
        return path

    return make
