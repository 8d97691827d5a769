"""Inputs of an ONNX graph that nobody has to give. The onnx package is that of the caller: a board has none."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def without_weight_inputs(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """A copy whose inputs are those that somebody has to give.

    Old exporters list the weights among the inputs, where ONNX Runtime may not fold them into anything.
    """
    copy = type(model)()
    copy.CopyFrom(model)
    weights = {tensor.name for tensor in copy.graph.initializer}
    inputs = [value for value in copy.graph.input if value.name not in weights]
    del copy.graph.input[:]
    copy.graph.input.extend(inputs)
    return copy
