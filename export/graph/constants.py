"""Works out what in a graph does not depend on its input.

The tracer writes shapes as computations (``Shape``, ``Slice``, ``Concat`` before each ``Reshape``) and shares equal
weights through ``Identity``. With the input's size fixed all of it is constant. ONNX Runtime would fold it at each
start; other tools and people who read the graph would have to cope with it.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from fusedet.export.graph.nodes import attributes_of, replace_all

#: Operators whose result is worth storing: they shuffle a few numbers. Weights are not computed anew.
_FOLDABLE = frozenset(
    {"Cast", "Concat", "ConstantOfShape", "Equal", "Expand", "Gather", "Mul", "Reshape", "Slice", "Unsqueeze", "Where"}
)

_Constants = dict[str, NDArray[np.generic]]


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a valid ``model`` with inferred shapes, in which every constant computation is an initialiser."""
    model = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    _fold(model)
    return shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def _fold(model: onnx.ModelProto) -> None:
    """Replaces in place what the inferred shapes allow to be known."""
    graph = model.graph
    shapes = _static_shapes(graph)
    constants: _Constants = {}
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    renamed: dict[str, str] = {}  # outputs of Identity -> the initialiser behind them
    outputs = {output.name for output in graph.output}
    kept = []
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        if outputs.intersection(node.output):
            kept.append(node)
        elif node.op_type == "Identity" and node.input[0] in initializers:
            renamed[node.output[0]] = node.input[0]
        elif (value := _evaluate(node, constants, initializers, shapes, model.opset_import)) is not None:
            constants[node.output[0]] = value
        else:
            kept.append(node)

    used = {name for node in kept for name in node.input}
    stored = [numpy_helper.from_array(constants[name], name) for name in constants if name in used]
    tensors = [tensor for tensor in graph.initializer if tensor.name in used] + stored
    replace_all(graph.node, kept)
    replace_all(graph.initializer, tensors)
    del graph.value_info[:]  # to be inferred anew


def _evaluate(
    node: onnx.NodeProto,
    constants: _Constants,
    initializers: Mapping[str, onnx.TensorProto],
    shapes: Mapping[str, tuple[int, ...]],
    opsets: "list[onnx.OperatorSetIdProto]",
) -> NDArray[np.generic] | None:
    """The node's only output where it can be known, else None."""
    if node.op_type == "Shape" and node.input[0] in shapes:
        attributes = attributes_of(node)
        return np.array(shapes[node.input[0]][attributes.get("start", 0) : attributes.get("end")], np.int64)
    known = all(not name or name in constants or name in initializers for name in node.input)
    if node.op_type != "Constant" and not (node.op_type in _FOLDABLE and known):
        return None
    feeds = {
        name: constants[name] if name in constants else numpy_helper.to_array(initializers[name])
        for name in node.input
        if name
    }
    inputs = [
        helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=node.output[0])]
    single = helper.make_model(helper.make_graph([node], "single", inputs, outputs), opset_imports=opsets)
    (value,) = ReferenceEvaluator(single).run(None, feeds)
    return np.asarray(value)


def _static_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes of the values none of whose dimensions is open."""
    shapes = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    return shapes
