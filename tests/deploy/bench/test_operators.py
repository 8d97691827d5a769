import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from fusedet.configs.reader.loader import load_config
from fusedet.deploy.bench.operators import profile, read_profile
from fusedet.export import export_onnx
from fusedet.model import ModelConfig, build_detector, count_macs

IMAGE = np.zeros((48, 64, 3), np.uint8)


def event(index: int, kind: str, dur_us: int, inputs: list[list[int]], output: list[int]) -> dict[str, object]:
    args = {
        "op_name": kind,
        "node_index": str(index),
        "input_type_shape": [{"float": shape} for shape in inputs],
        "output_type_shape": [{"float": output}],
    }
    return {"cat": "Node", "name": f"{kind}_{index}_kernel_time", "dur": dur_us, "args": args}


def test_nodes_count_with_the_median_of_the_runs_that_count():
    convolution = [[1, 3, 8, 8], [16, 3, 3, 3], [16]]
    runs = [
        [event(0, "Conv", us, convolution, [1, 16, 4, 4]), event(1, "Relu", 5, [[1, 16]], [1, 16])]
        for us in (900, 10, 30, 20)
    ]
    events = [{"cat": "Session", "name": "model_run", "dur": 1000}, *(one for run in runs for one in run)]
    convolution_node, relu = read_profile(events, skip=1)
    assert convolution_node.milliseconds == pytest.approx(0.020)
    assert convolution_node.macs == 16 * 4 * 4 * 3 * 3 * 3
    assert (relu.kind, relu.macs, relu.output) == ("Relu", 0, (1, 16))


def test_two_nodes_of_one_name_are_two():
    events = [event(index, "Add", 10, [[1]], [1]) | {"name": "same_kernel_time"} for index in range(2)]
    assert len(read_profile(events)) == 2


def test_the_table_sums_to_the_whole(model: Path):
    operators = profile(model, IMAGE, threads=1, rounds=3)
    table = operators.by_kind()
    assert math.fsum(ms for _, _, ms in table) == pytest.approx(operators.milliseconds)
    assert sum(count for _, count, _ in table) == len(operators.nodes) > 0
    assert [ms for _, _, ms in table] == sorted((ms for _, _, ms in table), reverse=True)
    assert operators.slowest(3)[0].milliseconds == max(node.milliseconds for node in operators.nodes)
    assert len(operators.slowest(3)) == 3


@pytest.mark.parametrize("name", ["pico"])
def test_multiply_accumulates_are_those_of_the_network(name: str, tmp_path: Path):
    """Counted from what ran, and from the layers in torch: with and without fused activations."""
    settings = {**load_config(name, []).data["model"], "classes": 5, "input_size": 128}
    torch.manual_seed(0)
    net = build_detector(ModelConfig.model_validate(settings))
    result = export_onnx(net, tmp_path / "model.onnx", names=list("abcde"))
    for file in (tmp_path / "model.onnx", result.fused):
        assert profile(file, IMAGE, threads=1, rounds=1).macs == pytest.approx(count_macs(net), rel=0.01)


def test_convolutions_of_eight_bits_count_as_well(make_model: Callable[..., Path]):
    """Their kernel rearranges the weights, and then the profile does not know their shape."""

    def add_convolution(model: onnx.ModelProto) -> None:
        """``scores`` becomes what it was, plus nothing: 0 times the sum of a convolution of 3 to 16 channels."""
        graph = model.graph
        weights = np.ones((16, 3, 3, 3), np.int8)
        constants = {
            "q_weights": weights,
            "q_scale": np.array(1, np.float32),
            "q_zero": np.array(0, np.uint8),
            "q_zero_weights": np.array(0, np.int8),
            "nothing": np.array(0, np.float32),
        }
        graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
        scales = ("q_scale", "q_zero", "q_weights", "q_scale", "q_zero_weights", "q_scale", "q_zero")
        graph.node[-2].output[0] = "scores_before"
        graph.node.extend(
            [
                helper.make_node("Transpose", ["images"], ["q_planes"], perm=[0, 3, 1, 2]),
                helper.make_node("QLinearConv", ["q_planes", *scales], ["q_map"], pads=[1] * 4),
                helper.make_node("DequantizeLinear", ["q_map", "q_scale", "q_zero"], ["map"]),
                helper.make_node("ReduceMax", ["map"], ["peak_of_map"], axes=[1, 2, 3], keepdims=0),
                helper.make_node("Mul", ["peak_of_map", "nothing"], ["no_score"]),
                helper.make_node("Add", ["scores_before", "no_score"], ["scores"]),
            ]
        )

    model = make_model(change=add_convolution, batch=1)
    assert profile(model, IMAGE, threads=1, rounds=1).macs == 64 * 64 * 16 * 3 * 3 * 3
