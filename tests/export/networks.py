"""Small networks that behave like trained ones, and small ONNX graphs."""

import copy
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
import yaml
from onnx import TensorProto, helper, numpy_helper

from fusedet.configs import preset_path
from fusedet.deploy import Contract, letterbox
from fusedet.export.graph.nodes import metadata_of
from fusedet.export.proof.images import draw_images
from fusedet.model import DetectorNet, ModelConfig, build_detector

NAMES = ("cat", "dog", "owl")


def small_config(**changes: object) -> ModelConfig:
    """The smallest network the config allows, at 64 px."""
    stages = [{"channels": 16, "expand": 1.0, "block": "fused"}]
    stages += [{"channels": 16, "depth": 1, "expand": 1.0} for _ in range(3)]
    part = {"channels": 16, "depth": 1, "kernel": 3}
    values = {"input_size": 64, "classes": len(NAMES), "stages": stages, "neck": part, "head": part}
    return ModelConfig.model_validate({**values, **changes})


def preset_config(name: str, **changes: object) -> ModelConfig:
    """A preset at 64 px."""
    values = yaml.safe_load(preset_path(name).read_text())["model"]
    return ModelConfig.model_validate({**values, "input_size": 64, "classes": len(NAMES), **changes})


def trained_net(config: ModelConfig, seed: int = 0) -> DetectorNet:
    """A network as training leaves it: its norms know the data, its scores are spread out, some of them high.

    It is made once a process, and each test gets a copy.
    """
    net = copy.deepcopy(_trained_net(config.model_dump_json(), seed))
    torch.manual_seed(seed)
    return net


@functools.cache
def _trained_net(config_json: str, seed: int) -> DetectorNet:
    config = ModelConfig.model_validate_json(config_json)
    torch.manual_seed(seed)
    net = build_detector(config)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the plain average over all batches
            torch.nn.init.normal_(module.bias, 0.0, 0.1)
    for classes, boxes in zip(net.head.class_predictors, net.head.box_predictors, strict=True):
        torch.nn.init.normal_(classes.weight, 0.0, 1.0)
        torch.nn.init.normal_(boxes.weight, 0.0, 0.05)
    images = [letterbox(image, config.input_size, 114)[0] for image in draw_images(8, seed=seed).values()]
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        for _ in range(2):
            net.train()(batch)
    return net.eval()


def contract_of(config: ModelConfig, **changes: object) -> Contract:
    return Contract(**{"names": NAMES, "input_size": config.input_size, **changes})


def change_metadata(path: Path, changes: Mapping[str, str], out: Path | None = None) -> None:
    """Writes a model's file with other metadata, in its own place or as ``out``."""
    model = onnx.load(path)
    helper.set_model_props(model, {**metadata_of(model), **changes})
    onnx.save(model, out or path)


def graph_of(
    nodes: Sequence[onnx.NodeProto],
    outputs: Sequence[str] = ("y",),
    channels: int = 16,
    constants: dict[str, np.ndarray] | None = None,
) -> onnx.ModelProto:
    """A checked model with input ``x`` ``[1, channels, 8, 8]``, kernel ``w`` and bias ``b`` of a 3x3 convolution."""
    rng = np.random.default_rng(0)
    arrays = {
        "w": rng.normal(0, 0.1, (channels, channels, 3, 3)).astype(np.float32),
        "b": rng.normal(0, 0.1, channels).astype(np.float32),
        **(constants or {}),
    }
    used = {name for node in nodes for name in node.input}
    shape = [1, channels, 8, 8]
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in arrays.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def conv(source: str, output: str, name: str | None = None) -> onnx.NodeProto:
    """A 3x3 convolution that keeps the size."""
    return helper.make_node(
        "Conv", [source, "w", "b"], [output], name=name or f"Conv_{output}", kernel_shape=[3, 3], pads=[1, 1, 1, 1]
    )


def node(op: str, inputs: Sequence[str], output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, list(inputs), [output], name=f"{op}_{output}", **attributes)


def quantised(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model, changed in place: its last node's output goes through QuantizeLinear and DequantizeLinear."""
    scale, zero = numpy_helper.from_array(np.float32(0.1), "s"), numpy_helper.from_array(np.uint8(0), "z")
    model.graph.initializer.extend((scale, zero))
    last = model.graph.node[-1]
    steps = [node("QuantizeLinear", ["r", "s", "z"], "q"), node("DequantizeLinear", ["q", "s", "z"], last.output[0])]
    last.output[0] = "r"
    model.graph.node.extend(steps)
    return model


def run(model: onnx.ModelProto) -> list[np.ndarray]:
    """Outputs for a drawn ``x`` of ``[1, 16, 8, 8]``, without any optimisation."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(0, 3, (1, 16, 8, 8)).astype(np.float32)
    return session.run(None, {"x": x})
