import json
from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from fusedet.configs import preset_names
from fusedet.deploy.detector.contract import Contract
from fusedet.export.graph.fuse import fuse
from fusedet.export.graph.ops import count_ops
from fusedet.export.graph.to_onnx import OPSET, to_onnx
from fusedet.model import InferenceGraph
from tests.export.networks import contract_of, preset_config, small_config, trained_net


def shapes(model):
    values = (*model.graph.input, *model.graph.output)
    return {v.name: [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim] for v in values}


def plain_model(config=None, dynamic_batch=False, contract=None, **graph_settings):
    config = config or small_config()
    contract = contract or contract_of(config)
    graph = InferenceGraph(trained_net(config), **graph_settings)
    return to_onnx(graph, contract, dynamic_batch=dynamic_batch)


@pytest.mark.parametrize("nms", [True, False], ids=["nms", "nms-free"])
@pytest.mark.parametrize(
    "preset", ["pico", *(pytest.param(name, marks=pytest.mark.slow) for name in ("nano", "small"))]
)
def test_presets_hold_only_operators_that_belong_there(preset, nms):
    assert preset in preset_names()
    config = preset_config(preset)
    model = plain_model(config, nms=nms)
    fused = fuse(model)

    onnx.checker.check_model(model, full_check=True)
    ops, fused_ops = count_ops(model), count_ops(fused.model)
    decoding = Counter({"Cast": 1, "Transpose": 2, "Concat": 4, "Flatten": 3, "ReduceMax": 3})  # images in, maps out
    if not nms:
        decoding += Counter({"Concat": 3, "Slice": 6, "MaxPool": 3, "Mul": 3, "Sub": 3})  # selector and inhibition
    decoding += Counter({"TopK": 3, "GatherElements": 4, "Unsqueeze": 4, "Expand": 2, "Gather": 1, "Flatten": 2})
    decoding += Counter({"Reshape": 7, "Mod": 1, "Sub": 1})  # the best points, their classes, the best of all those
    decoding += Counter({"Gather": 2, "Slice": 2, "Mul": 1, "Sub": 1, "Sigmoid": 1})  # boxes and scores
    network = {op: ops.pop(op) for op in ("Conv", "LeakyRelu", "Add", "Resize")}
    assert ops == decoding
    assert network["Resize"] == 2
    assert fused.declined == ()
    assert fused_ops["FusedConv"] == network["LeakyRelu"] == len(fused.fused)
    assert fused_ops["Conv"] == network["Conv"] - network["LeakyRelu"]
    assert fused_ops["LeakyRelu"] == 0


def test_form_of_the_file():
    config = small_config(input_size=(64, 96))
    model = plain_model(config)

    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    assert model.producer_name == "fusedet"
    assert "uint8 [B, 64, 96, 3], BGR" in model.doc_string
    points = 8 * 12 + 4 * 6 + 2 * 3
    assert shapes(model) == {
        "images": [1, 64, 96, 3],
        "boxes": [1, points, 4],
        "scores": [1, points],
        "class_ids": [1, points],
    }
    assert not {t.name for t in model.graph.initializer} & {v.name for v in model.graph.input}
    known = {v.name for v in model.graph.value_info} | {v.name for v in model.graph.output}
    assert known == {name for node in model.graph.node for name in node.output}, (
        "every shape is inferred, no other kept"
    )
    assert all(not node.doc_string for node in model.graph.node)


def test_metadata_is_the_contract():
    contract = contract_of(small_config(), nms=True, extra={"data": "three kinds of animals", "licence": "ours"})
    model = plain_model(contract=contract, nms=True)

    metadata = {p.key: p.value for p in model.metadata_props}
    assert Contract.from_metadata(metadata, "file") == contract
    assert json.loads(metadata["fusedet.extra"])["licence"] == "ours"


def test_open_batch():
    model = plain_model(dynamic_batch=True, max_detections=10)

    assert shapes(model) == {
        "images": ["batch", 64, 64, 3],
        "boxes": ["batch", 10, 4],
        "scores": ["batch", 10],
        "class_ids": ["batch", 10],
    }
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    together = session.run(None, {"images": images})
    for i in range(3):
        for batch, single in zip(together, session.run(None, {"images": images[i : i + 1]}), strict=True):
            np.testing.assert_allclose(batch[i], single[0], rtol=0, atol=1e-4)


def test_same_weights_same_bytes():
    first, second = (plain_model().SerializeToString(deterministic=True) for _ in range(2))
    fused = [fuse(onnx.load_from_string(data)).model.SerializeToString(deterministic=True) for data in (first, second)]

    assert first == second
    assert fused[0] == fused[1]
    assert first != plain_model(small_config(negative_slope=0.2)).SerializeToString(deterministic=True)


def test_float_input_is_rgb_in_unit_range():
    config = small_config()
    net = trained_net(config)
    contract = contract_of(config, input_format="float32_nchw_rgb")
    model = to_onnx(InferenceGraph(net, input_format="float32_nchw_rgb"), contract)

    assert shapes(model)["images"] == [1, 3, 64, 64]
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    bgr = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    planes = bgr[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255  # BGR -> RGB, NHWC -> NCHW
    boxes, scores, class_ids = session.run(None, {"images": np.ascontiguousarray(planes)})
    with torch.no_grad():
        expected = InferenceGraph(net).eval()(torch.from_numpy(bgr))
    np.testing.assert_allclose(scores, expected[1].numpy(), rtol=0, atol=1e-4)
    np.testing.assert_allclose(boxes, expected[0].numpy(), rtol=0, atol=1e-3)
    np.testing.assert_array_equal(class_ids, expected[2].numpy())
