"""The rewrite, three ways: the file is valid, the operators are exactly these, the numbers are the same."""

import numpy as np
import onnx
import pytest
from onnx import helper

from fusedet.deploy.detector.contract import FUSED_KEY
from fusedet.export.graph.fuse import FUSABLE, NONLINEARITIES, fuse, unfused_activations
from tests.export.networks import conv, graph_of, node, run

FLOAT_MAX = float(np.finfo(np.float32).max)


def ops(model: onnx.ModelProto) -> list[str]:
    return [n.op_type for n in model.graph.node]


def limits(**values: float) -> dict[str, np.ndarray]:
    return {name: np.array(value, np.float32) for name, value in values.items()}


FUSED_CASES = [
    # activation, its constants, activation_params
    (node("Relu", ["c"], "a"), {}, None),
    (node("LeakyRelu", ["c"], "a", alpha=0.1), {}, [0.1]),
    (node("LeakyRelu", ["c"], "a"), {}, [0.01]),
    (node("Sigmoid", ["c"], "a"), {}, None),
    (node("Tanh", ["c"], "a"), {}, None),
    (node("HardSigmoid", ["c"], "a"), {}, [0.2, 0.5]),
    (node("HardSigmoid", ["c"], "a", alpha=1 / 6, beta=0.4), {}, [1 / 6, 0.4]),
    (node("Clip", ["c", "low", "high"], "a"), limits(low=0, high=0.5), [0.0, 0.5]),
    (node("Clip", ["c", "", "high"], "a"), limits(high=0.5), [-FLOAT_MAX, 0.5]),
    (node("Clip", ["c", "low"], "a"), limits(low=-0.5), [-0.5, FLOAT_MAX]),
    (node("Clip", ["c"], "a"), {}, [-FLOAT_MAX, FLOAT_MAX]),
]


@pytest.mark.parametrize(("activation", "constants", "params"), FUSED_CASES)
def test_activation_moves_into_its_convolution(activation, constants, params):
    plain = graph_of([conv("x", "c", "first"), activation, conv("a", "y")], constants=constants)

    result = fuse(plain)

    onnx.checker.check_model(result.model, full_check=True)
    assert ops(result.model) == ["FusedConv", "Conv"]
    assert (result.fused, result.declined, result.decoding) == ((activation.name,), (), ())
    fused = result.model.graph.node[0]
    attributes = {a.name: helper.get_attribute_value(a) for a in fused.attribute}
    assert (fused.domain, fused.name, list(fused.output)) == ("com.microsoft", "first", ["a"])
    assert attributes.pop("activation").decode() == activation.op_type
    assert attributes.pop("activation_params", None) == pytest.approx(params)
    assert attributes == {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    assert {t.name for t in result.model.graph.initializer} == {"w", "b"}, "the clip's limits are of no more use"
    np.testing.assert_allclose(run(result.model)[0], run(plain)[0], rtol=0, atol=1e-6)


def test_every_fusable_activation_is_tried_above():
    assert {activation.op_type for activation, _, _ in FUSED_CASES} == FUSABLE


DECLINED_CASES = {
    "after add": (
        [conv("x", "c"), node("Add", ["c", "x"], "s"), node("LeakyRelu", ["s"], "a"), conv("a", "y")],
        "LeakyRelu_a: its input comes from Add, not from a Conv",
    ),
    "two consumers": (
        [conv("x", "c"), node("Relu", ["c"], "a"), node("Add", ["a", "c"], "s"), conv("s", "y")],
        "Relu_a: the convolution's output has 2 consumers",
    ),
    "on the input": (
        [node("Relu", ["x"], "a"), conv("a", "y")],
        "Relu_a: its input comes from outside the graph, not from a Conv",
    ),
    "unknown to FusedConv": (
        [conv("x", "c"), node("Elu", ["c"], "a"), conv("a", "y")],
        "Elu_a: Elu is not an activation FusedConv knows",
    ),
    "prelu": (
        [conv("x", "c"), node("PRelu", ["c", "slope"], "a"), conv("a", "y")],
        "PRelu_a: PRelu is not an activation FusedConv knows",
    ),
    "hardswish": (
        [conv("x", "c"), node("HardSwish", ["c"], "a"), conv("a", "y")],
        "HardSwish_a: HardSwish is not an activation FusedConv knows",
    ),
    "silu": (
        [conv("x", "c"), node("Sigmoid", ["c"], "g"), node("Mul", ["c", "g"], "a"), conv("a", "y")],
        "Sigmoid_g: SiLU (a Sigmoid times its own input) is not an activation FusedConv knows",
    ),
    "computed limits": (
        [
            conv("x", "c"),
            node("ReduceMax", ["x"], "high", keepdims=0),
            node("Clip", ["c", "", "high"], "a"),
            conv("a", "y"),
        ],
        "Clip_a: the limits of Clip are not constant",
    ),
    "twice": (
        [conv("x", "c"), node("Relu", ["c"], "r"), node("Tanh", ["r"], "a"), conv("a", "y")],
        "Tanh_a: its input comes from Relu, not from a Conv",
    ),
}


@pytest.mark.parametrize(("nodes", "complaint"), DECLINED_CASES.values(), ids=DECLINED_CASES)
def test_what_cannot_be_fused_says_why(nodes, complaint):
    plain = graph_of(nodes, constants={"slope": np.full((16, 1, 1), 0.1, np.float32)})

    result = fuse(plain)

    onnx.checker.check_model(result.model, full_check=True)
    assert [str(declined) for declined in result.declined] == [complaint]
    assert unfused_activations(result.model) == (complaint.split(":")[0],)
    np.testing.assert_allclose(run(result.model)[0], run(plain)[0], rtol=0, atol=1e-6)


def test_an_output_of_the_graph_is_left_in_place():
    plain = graph_of([conv("x", "c"), node("Relu", ["c"], "a"), conv("a", "y")], outputs=("c", "y"))

    result = fuse(plain)

    assert [d.reason for d in result.declined] == ["the convolution's output is an output of the graph"]
    assert ops(result.model) == ["Conv", "Relu", "Conv"]


def test_a_nonlinearity_that_reaches_no_convolution_is_decoding():
    nodes = [conv("x", "c"), node("Relu", ["c"], "a"), conv("a", "d"), node("Add", ["d", "x"], "e")]
    plain = graph_of([*nodes, node("Sigmoid", ["e"], "y")])

    result = fuse(plain)

    assert ops(result.model) == ["FusedConv", "Conv", "Add", "Sigmoid"]
    assert (result.fused, result.declined, result.decoding) == (("Relu_a",), (), ("Sigmoid_y",))
    assert unfused_activations(result.model) == ()
    assert unfused_activations(plain) == ("Relu_a",)


def test_a_residual_add_is_left_to_onnx_runtime():
    plain = graph_of([conv("x", "c"), node("Relu", ["c"], "a"), conv("a", "d"), node("Add", ["d", "x"], "y")])

    result = fuse(plain)

    assert ops(result.model) == ["FusedConv", "Conv", "Add"]
    np.testing.assert_allclose(run(result.model)[0], run(plain)[0], rtol=0, atol=1e-6)


def test_limits_in_constant_nodes_count_as_constant():
    high = helper.make_node("Constant", [], ["high"], value=helper.make_tensor("v", onnx.TensorProto.FLOAT, [], [0.5]))
    plain = graph_of([high, conv("x", "c"), node("Clip", ["c", "", "high"], "a"), conv("a", "y")])

    result = fuse(plain)

    assert ops(result.model) == ["FusedConv", "Conv"]
    np.testing.assert_allclose(run(result.model)[0], run(plain)[0], rtol=0, atol=1e-6)


def test_a_use_inside_a_subgraph_counts():
    branch = helper.make_graph([node("Neg", ["c"], "n")], "b", [], [helper.make_empty_tensor_value_info("n")])
    condition = node("ReduceMax", ["x"], "m", keepdims=0), helper.make_node("Cast", ["m"], ["k"], to=9)
    choice = helper.make_node("If", ["k"], ["i"], then_branch=branch, else_branch=branch)
    nodes = [conv("x", "c"), node("Relu", ["c"], "a"), conv("a", "d"), *condition, choice]
    plain = graph_of([*nodes, node("Add", ["d", "i"], "y")])

    assert [d.reason for d in fuse(plain).declined] == ["the convolution's output has 3 consumers"]


def test_the_given_model_is_not_touched_and_metadata_is_kept():
    plain = graph_of([conv("x", "c"), node("Relu", ["c"], "a"), conv("a", "y")])
    helper.set_model_props(plain, {"fusedet.names": '["a"]'})
    before = plain.SerializeToString(deterministic=True)

    fused = fuse(plain).model

    assert plain.SerializeToString(deterministic=True) == before
    assert {p.key: p.value for p in fused.metadata_props} == {"fusedet.names": '["a"]', FUSED_KEY: "true"}
    assert [(o.domain, o.version) for o in fused.opset_import] == [("", 17), ("com.microsoft", 1)]
    assert fuse(fused).model.SerializeToString(deterministic=True) == fused.SerializeToString(deterministic=True)


def test_a_file_with_unfused_activations_does_not_call_itself_fused():
    fused = fuse(graph_of([conv("x", "c"), node("Elu", ["c"], "a"), conv("a", "y")])).model

    assert {p.key: p.value for p in fused.metadata_props} == {FUSED_KEY: "false"}
    assert [o.domain for o in fused.opset_import] == [""]


# HardSwish is missing here: ONNX Runtime 1.31 takes it, 1.17 does not.
@pytest.mark.parametrize("activation", ["Elu", "Gelu", "Selu", "Softplus"])
def test_onnx_runtime_refuses_what_is_not_called_fusable(activation):
    fused = fuse(graph_of([conv("x", "c"), node("Relu", ["c"], "a"), conv("a", "y")])).model
    assert activation in NONLINEARITIES - FUSABLE
    (attribute,) = (a for a in fused.graph.node[0].attribute if a.name == "activation")
    attribute.s = activation.encode()

    with pytest.raises(Exception, match="activation"):
        run(fused)
