"""What every look at an ONNX graph needs: names, attributes, who reads a value, and how lists of nodes are replaced."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import onnx
from onnx import helper


def node_name(node: onnx.NodeProto) -> str:
    """The node's name, or its output's where it has none."""
    return node.name or node.output[0]


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """The node's attributes by name; text as bytes."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def metadata_of(model: onnx.ModelProto) -> dict[str, str]:
    """What a model says of itself."""
    return {entry.key: entry.value for entry in model.metadata_props}


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs inside a node, such as the branches of an ``If``."""
    for attribute in node.attribute:
        yield from (graph for graph in (attribute.g, *attribute.graphs) if graph.node)


def values_read(node: onnx.NodeProto) -> Iterator[str]:
    """Names of the values that a node reads, those that its subgraphs take from outside included."""
    yield from node.input
    for graph in subgraphs(node):
        for inner in graph.node:
            yield from values_read(inner)


def count_uses(graph: onnx.GraphProto) -> Counter[str]:
    """How many times each value is read by a node."""
    return Counter(name for node in graph.node for name in values_read(node))


def constant_tensors(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Weights and constants by name; an initialiser that is also an input is none, only a default."""
    inputs = {value.name for value in graph.input}
    tensors = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in inputs}
    for node in graph.node:
        if node.op_type == "Constant":
            tensors.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
    return tensors


def replace_all(field: Any, values: Iterable[Any]) -> None:
    """Makes ``values`` the whole of a repeated field, such as ``graph.node``."""
    kept = list(values)
    del field[:]
    field.extend(kept)


def drop_unused(graph: onnx.GraphProto) -> None:
    """Removes constants, weights and inferred shapes of values that nothing reads any more."""
    used = set(count_uses(graph)) | {value.name for value in (*graph.input, *graph.output)}
    replace_all(graph.node, [node for node in graph.node if node.op_type != "Constant" or node.output[0] in used])
    replace_all(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in used])
    replace_all(graph.value_info, [value for value in graph.value_info if value.name in used])
