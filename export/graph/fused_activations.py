"""Which convolution holds which activation."""

from dataclasses import dataclass

import onnx
from onnx import helper

from fusedet.export.graph.ops import short_name


@dataclass(frozen=True)
class FusedActivation:
    """A convolution with an activation inside.

    Attributes:
        node: its name, or its output's name where it has none.
        op: ``FusedConv``, or ``nchwc.Conv`` of the blocked layout.
        activation: for example ``LeakyRelu``.
        parameters: the activation's numbers, for example its slope.
    """

    node: str
    op: str
    activation: str
    parameters: tuple[float, ...]


def fused_activations(model: onnx.ModelProto) -> tuple[FusedActivation, ...]:
    """Every convolution of a graph that holds an activation, in the order in which they run."""
    found = []
    for node in model.graph.node:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if attributes.get("activation"):
            parameters = tuple(round(float(value), 6) for value in attributes.get("activation_params", ()))
            name, activation = node.name or node.output[0], attributes["activation"].decode()
            found.append(FusedActivation(name, short_name(node), activation, parameters))
    return tuple(found)
