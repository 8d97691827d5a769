"""Weights of 16 bits: half the bytes, the same graph when it runs, nearly the same numbers."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fusedet.deploy import Detector
from fusedet.export import count_ops, export_onnx, optimize
from fusedet.export.graph.half import halve_weights
from fusedet.export.proof.images import draw_images
from tests.export.networks import NAMES, small_config, trained_net


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    result = export_onnx(trained_net(small_config()), tmp_path_factory.mktemp("out") / "model.onnx", names=NAMES)
    half = result.fused.with_name("model.half.onnx")
    onnx.save(halve_weights(onnx.load(result.fused)), half)
    return result.fused, half


def weight_bytes(path):
    return sum(len(numpy_helper.to_array(tensor).tobytes()) for tensor in onnx.load(path).graph.initializer)


def test_weights_take_half_the_bytes_and_nothing_else_runs(files):
    fused, half = files

    assert weight_bytes(half) < 0.6 * weight_bytes(fused)
    assert count_ops(optimize(half)) == count_ops(optimize(fused))


def test_it_finds_nearly_the_same(files):
    fused, half = (Detector(path, score_threshold=0.0) for path in files)

    assert half.contract == fused.contract
    for image in draw_images().values():
        best, expected = half(image)[:5], fused(image)[:5]
        np.testing.assert_allclose(best.scores, expected.scores, atol=0.02)


def model_of(values):
    weight = numpy_helper.from_array(np.asarray(values, np.float32), "w")
    node = helper.make_node("Mul", ["x", "w"], ["y"])
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [len(values)]) for name in "xy"]
    return helper.make_model(helper.make_graph([node], "g", info[:1], info[1:], [weight]))


@pytest.mark.parametrize(
    ("values", "halved"),
    [(np.ones(256), True), (np.ones(255), False), (np.full(256, 7e4), False), (np.full(256, np.nan), False)],
    ids=["weights", "few", "beyond float16", "not a number"],
)
def test_what_is_halved(values, halved):
    before = model_of(values)

    after = halve_weights(before)

    assert [node.op_type for node in after.graph.node] == (["Cast", "Mul"] if halved else ["Mul"])
    assert (after.graph.initializer[0].data_type == TensorProto.FLOAT16) is halved
    assert before == model_of(values), "the model given was changed"
    onnx.checker.check_model(after, full_check=True)
