"""A tiny detector with the contract, made without training: it finds the one bright rectangle in an image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fusedet.deploy import Contract
from tests.deploy.foreign_files import make_file  # noqa: F401 - a fixture

Image = NDArray[np.uint8]
NAMES = ("red", "green", "blue")
COLORS_BGR = ((0, 0, 255), (0, 255, 0), (255, 0, 0))


def build_model(contract: Contract, batch: int | None = None, scores: tuple[float, ...] = (0.9, float("nan"))) -> Any:
    """An ONNX model whose first box is the rectangle of pixels above 127, its class their strongest colour.

    Args:
        contract: goes into the metadata; names, size and format shape the graph.
        batch: fixed batch, or None for a dynamic one.
        scores: of the K boxes where there is a rectangle, zero where there is none. Box k is moved k px to the right.
    """
    height, width = contract.input_size
    is_uint8 = contract.input_format == "uint8_nhwc_bgr"
    sides: list[Any] = [batch or "batch", height, width, 3] if is_uint8 else [batch or "batch", 3, height, width]
    constants = {
        "flip": np.array([2, 1, 0]),
        "full": np.array(255, np.float32),
        "half": np.array(127, np.float32),
        "one": np.array(1),
        "plane": np.array([2, 3]),
        "axis": np.array([1]),
        "shifts": np.array([[[k, 0, k, 0] for k in range(len(scores))]], np.float32),
        "scale": np.array([scores], np.float32),
        "ids": np.zeros((1, len(scores)), np.int64),
    }
    to_rgb = (
        [
            helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["float"], ["bgr"], perm=[0, 3, 1, 2]),
            helper.make_node("Gather", ["bgr", "flip"], ["rgb"], axis=1),
        ]
        if is_uint8
        else [helper.make_node("Mul", ["images", "full"], ["rgb"])]
    )
    nodes = [
        *to_rgb,  # [B, 3, H, W] in 0..255
        helper.make_node("ReduceMax", ["rgb"], ["peak"], axes=[1]),
        helper.make_node("Greater", ["peak", "half"], ["bright"]),
        helper.make_node("Cast", ["bright"], ["mask"], to=TensorProto.FLOAT),  # [B, 1, H, W]
        helper.make_node("Mul", ["rgb", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "plane"], ["sums"], keepdims=0),
        helper.make_node("ArgMax", ["sums"], ["color"], axis=1),  # [B, 1]
        helper.make_node("ReduceMax", ["mask"], ["columns"], axes=[1, 2], keepdims=0),
        helper.make_node("ReduceMax", ["mask"], ["rows"], axes=[1, 3], keepdims=0),
        helper.make_node("ArgMax", ["columns"], ["left"], axis=1),
        helper.make_node("ArgMax", ["rows"], ["top"], axis=1),
        helper.make_node("ArgMax", ["columns"], ["last_column"], axis=1, select_last_index=1),
        helper.make_node("ArgMax", ["rows"], ["last_row"], axis=1, select_last_index=1),
        helper.make_node("Add", ["last_column", "one"], ["right"]),
        helper.make_node("Add", ["last_row", "one"], ["bottom"]),
        helper.make_node("Concat", ["left", "top", "right", "bottom"], ["sides"], axis=1),
        helper.make_node("Cast", ["sides"], ["box"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["box", "axis"], ["first"]),
        helper.make_node("Add", ["first", "shifts"], ["boxes"]),
        helper.make_node("ReduceMax", ["columns"], ["found"], axes=[1]),
        helper.make_node("Mul", ["found", "scale"], ["scores"]),
        helper.make_node("Add", ["color", "ids"], ["class_ids"]),
    ]
    first, count = batch or "batch", len(scores)
    graph = helper.make_graph(
        nodes,
        "bright_rectangle",
        [helper.make_tensor_value_info("images", TensorProto.UINT8 if is_uint8 else TensorProto.FLOAT, sides)],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [first, count, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [first, count]),
            helper.make_tensor_value_info("class_ids", TensorProto.INT64, [first, count]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, contract.to_metadata())
    return model


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes :func:`build_model`'s model for a contract of the given fields and returns its path."""

    def make(
        batch: int | None = None, scores: tuple[float, ...] = (0.9, float("nan")), change: Any = None, **fields: Any
    ) -> Path:
        contract = Contract(**{"names": NAMES, "input_size": (64, 64), **fields})
        model = build_model(contract, batch, scores)
        if change is not None:
            change(model)
        path = tmp_path_factory.mktemp("model") / "model.onnx"
        onnx.save(model, path)
        return path

    return make


@pytest.fixture(scope="session")
def model(make_model: Callable[..., Path]) -> Path:
    """The usual model: 64 px, uint8 input, dynamic batch, no NMS."""
    return make_model()


def draw_image(box: tuple[int, int, int, int], color: int = 0, size_hw: tuple[int, int] = (96, 128)) -> Image:
    """A black image with a rectangle of colour number ``color``; ``box`` is xyxy, its right and bottom outside."""
    image = np.zeros((*size_hw, 3), np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = COLORS_BGR[color]
    return image


def count_frames(path: Path | str) -> int:
    capture = cv2.VideoCapture(str(path))
    count = sum(1 for _ in iter(lambda: capture.read()[0], False))
    capture.release()
    return count


def write_video(path: Path, frames: int = 6, fps: float = 10.0, size_hw: tuple[int, int] = (96, 128)) -> list[int]:
    """A video of a green rectangle that moves 8 px to the right each frame; returns its left sides."""
    height, width = size_hw
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    assert writer.isOpened()
    lefts = [8 * index for index in range(frames)]
    for left in lefts:
        writer.write(draw_image((left, 32, left + 32, 64), 1, size_hw))
    writer.release()
    return lefts
