"""Folds every ``BatchNormalization`` that follows a convolution into it: ``Conv`` + BatchNorm -> ``Conv``.

Files that were exported in training's form, or by converters that do not fold, hold them. ONNX Runtime folds them at
each start; in the file they keep an activation from its convolution.

``scale * (w x + b - mean) / sqrt(var + epsilon) + offset``, computed in double precision.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fusedet.export.graph.nodes import attributes_of, constant_tensors, count_uses, drop_unused, node_name

_Arrays = Mapping[str, NDArray[np.generic]]


def fold_batchnorms(model: onnx.ModelProto) -> tuple[str, ...]:
    """Changes ``model`` in place, and gives the names of the norms that are gone.

    A norm is folded when it is the only consumer of a convolution's output, that output is none of the graph's, and
    weights and statistics are constant.
    """
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    uses = count_uses(graph)
    uses.update(output.name for output in graph.output)
    arrays = {name: numpy_helper.to_array(tensor) for name, tensor in constant_tensors(graph).items()}
    folded = []
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization" and not node.domain]:
        conv = producers.get(norm.input[0])
        if conv is None or not _fits(conv, norm, uses, arrays):
            continue
        _fold(conv, norm, arrays, graph)
        graph.node.remove(norm)
        folded.append(node_name(norm))
    if folded:
        drop_unused(graph)
    return tuple(folded)


def _fits(conv: onnx.NodeProto, norm: onnx.NodeProto, uses: Counter[str], arrays: _Arrays) -> bool:
    plain = conv.op_type == "Conv" and not conv.domain and len(norm.output) == 1
    constant = all(name in arrays for name in (*conv.input[1:], *norm.input[1:]) if name)
    return plain and constant and uses[conv.output[0]] == 1


def _fold(conv: onnx.NodeProto, norm: onnx.NodeProto, arrays: _Arrays, graph: onnx.GraphProto) -> None:
    """Gives ``conv`` weights of its own: those that it had may belong to several convolutions."""
    weight = arrays[conv.input[1]]
    kind = weight.dtype
    epsilon = attributes_of(norm).get("epsilon", 1e-5)
    scale, offset, mean, variance = (arrays[name].astype(np.float64) for name in norm.input[1:])
    factor = scale / np.sqrt(variance + epsilon)  # [C]
    bias = arrays[conv.input[2]].astype(np.float64) if len(conv.input) > 2 and conv.input[2] else 0.0
    new = {
        "weight": weight.astype(np.float64) * factor.reshape(-1, *[1] * (weight.ndim - 1)),
        "bias": (bias - mean) * factor + offset,
    }
    names = {what: f"{norm.output[0]}_folded_{what}" for what in new}
    for what, array in new.items():
        graph.initializer.append(numpy_helper.from_array(array.astype(kind), names[what]))
    inputs = [conv.input[0], names["weight"], names["bias"]]
    folded = helper.make_node("Conv", inputs, norm.output, name=conv.name)
    folded.attribute.extend(conv.attribute)
    conv.CopyFrom(folded)
