import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from fusedet.export.graph.constants import fold_constants


def model_of(nodes, x_shape, y_shape, constants, y_type=TensorProto.FLOAT):
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x_shape)],
        [helper.make_tensor_value_info("y", y_type, y_shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model, x):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def flatten_nodes():
    """``x.flatten(1)`` as the tracer writes it."""
    return [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "one"], ["head"]),
        helper.make_node("Concat", ["head", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]


FLATTEN = {"zero": np.array([0]), "one": np.array([1]), "rest": np.array([-1])}


def test_a_shape_computation_becomes_an_initializer():
    model = model_of(flatten_nodes(), [2, 3, 4], [2, 12], FLATTEN)

    folded = fold_constants(model)

    onnx.checker.check_model(folded, full_check=True)
    assert [node.op_type for node in folded.graph.node] == ["Reshape"]
    assert {t.name: numpy_helper.to_array(t).tolist() for t in folded.graph.initializer} == {"target": [2, -1]}
    assert len(model.graph.node) == 4, "the model that was given stays as it is"


def test_an_open_dimension_is_left_open():
    folded = fold_constants(model_of(flatten_nodes(), ["batch", 3, 4], ["batch", 12], FLATTEN))

    assert [node.op_type for node in folded.graph.node] == ["Shape", "Slice", "Concat", "Reshape"]
    x = np.arange(60, dtype=np.float32).reshape(5, 3, 4)
    np.testing.assert_array_equal(run(folded, x), x.reshape(5, 12))


def test_weights_shared_through_identity_are_used_directly():
    nodes = [
        helper.make_node("Identity", ["bias"], ["same"]),
        helper.make_node("Identity", ["same"], ["again"]),
        helper.make_node("Add", ["x", "again"], ["y"]),
    ]
    folded = fold_constants(model_of(nodes, [2], [2], {"bias": np.array([1, 2], np.float32)}))

    assert [(node.op_type, *node.input) for node in folded.graph.node] == [("Add", "x", "bias")]
    np.testing.assert_array_equal(run(folded, np.zeros(2, np.float32)), [1, 2])


def test_an_output_of_the_graph_stays_computed():
    nodes = [helper.make_node("Shape", ["x"], ["y"], start=1)]

    folded = fold_constants(model_of(nodes, [2, 3, 4], [2], {}, TensorProto.INT64))

    onnx.checker.check_model(folded, full_check=True)
    np.testing.assert_array_equal(run(folded, np.zeros((2, 3, 4), np.float32)), [3, 4])


def test_shapes_that_follow_from_computed_shapes_are_known():
    nodes = [
        *flatten_nodes()[:3],
        helper.make_node("Reshape", ["x", "target"], ["flat"]),
        helper.make_node("Shape", ["flat"], ["flat_shape"]),
        helper.make_node("ConstantOfShape", ["flat_shape"], ["zeros"]),
        helper.make_node("Add", ["flat", "zeros"], ["y"]),
    ]
    folded = fold_constants(model_of(nodes, [2, 3, 4], [2, 12], FLATTEN))

    assert [node.op_type for node in folded.graph.node] == ["Reshape", "Add"]
