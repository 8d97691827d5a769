"""Weights of 16 bits: a file of half the size that computes as before.

Only the stored weights change. A ``Cast`` widens each of them again, and ONNX Runtime does so once, when it opens the
file: what runs is the float32 network with rounded weights, at its full speed.
"""

import copy

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fusedet.export.graph.nodes import replace_all

#: Smaller tensors, such as biases, are not worth a node.
_LEAST = 256
_LARGEST = float(np.finfo(np.float16).max)


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model with its float32 weights stored as float16.

    Weights beyond float16's range stay as they are.
    """
    result = copy.deepcopy(model)
    graph = result.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or int(np.prod(tensor.dims)) < _LEAST:
            continue
        values = numpy_helper.to_array(tensor)
        if not (np.abs(values) <= _LARGEST).all():  # NaN fails as well
            continue
        name, stored = tensor.name, f"{tensor.name}.float16"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [name], name=f"{name}.widen", to=TensorProto.FLOAT))
    replace_all(graph.node, [*casts, *graph.node])
    return result
