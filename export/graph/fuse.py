"""Moves every activation into the convolution that feeds it: ``Conv`` + activation -> ``com.microsoft.FusedConv``.

ONNX Runtime knows this fusion itself, but only applies it from its extended optimisation level on, and again at each
start. Written into the file it holds at every level and on every CPU; at the highest level ONNX Runtime turns a
``FusedConv`` into a convolution of its blocked layout just as it does with a ``Conv``.

A ``FusedConv`` is for CPUs: ONNX Runtime's CUDA provider refuses most activations inside it. Ship the plain file too.

What counts as an activation
    A *nonlinearity* is a node that applies a nonlinear function to each element (:data:`NONLINEARITIES`).
    An *activation* is a nonlinearity whose output reaches a convolution further down: it is part of the network.
    A nonlinearity that reaches none belongs to the decoding, like the sigmoid on the scores that are kept at the end:
    it works on a few numbers, costs nothing, and has no place in a convolution.

A residual ``Add`` is left as it is: ONNX Runtime makes it the fourth input of the convolution before it.

Source: ``com.microsoft.FusedConv`` in docs/ContribOperators.md of ONNX Runtime.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fusedet.deploy.detector.contract import FUSED_KEY
from fusedet.export.graph.nodes import (
    attributes_of,
    constant_tensors,
    count_uses,
    drop_unused,
    metadata_of,
    node_name,
    replace_all,
    values_read,
)

#: What the CPU kernel of FusedConv accepts in ONNX Runtime 1.17 as well as in 1.31. HardSwish is not among them: 1.31
#: takes it, 1.17 refuses to load the file.
FUSABLE = frozenset({"Relu", "LeakyRelu", "Clip", "HardSigmoid", "Sigmoid", "Tanh"})

#: Operators that apply a nonlinear function to each element by itself.
NONLINEARITIES = FUSABLE | frozenset(
    {
        "Celu",
        "Elu",
        "Erf",
        "FastGelu",
        "Gelu",
        "HardSwish",
        "Mish",
        "PRelu",
        "QuickGelu",
        "Selu",
        "Softplus",
        "Softsign",
        "Swish",
        "ThresholdedRelu",
    }
)

#: Operators that an activation may be followed by further down to count as part of the network.
CONVOLUTIONS = frozenset({"Conv", "FusedConv", "ConvTranspose"})
_DOMAIN = "com.microsoft"
_FLOAT_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Declined:
    """An activation that stays outside a convolution; ``reason`` ends a sentence that begins with the node."""

    node: str
    op: str
    reason: str

    def __str__(self) -> str:
        return f"{self.node}: {self.reason}"


@dataclass(frozen=True)
class FusionResult:
    """A rewritten model and what became of each of its nonlinearities, by name.

    ``fused`` now live in a convolution, ``declined`` stay outside, ``decoding`` reach no convolution.
    """

    model: onnx.ModelProto
    fused: tuple[str, ...]
    declined: tuple[Declined, ...]
    decoding: tuple[str, ...]


def fuse(model: onnx.ModelProto) -> FusionResult:
    """Rewrites a copy of ``model``; the one given stays as it is.

    A convolution and the activation after it become one ``FusedConv`` when the activation is the convolution's only
    consumer, the convolution's output is not an output of the graph, and FusedConv knows the activation. The new node
    keeps the convolution's name and attributes and the activation's output name.
    """
    fused_model = copy.deepcopy(model)
    graph = fused_model.graph
    producers = {name: node for node in graph.node for name in node.output}
    uses = count_uses(graph)
    constants = _scalars(graph)
    hidden = feeding_convolutions(graph)

    fused: list[str] = []
    declined: list[Declined] = []
    decoding: list[str] = []
    replaced: dict[str, onnx.NodeProto | None] = {}  # first output of a node -> what stands in its place
    for node in graph.node:
        if node.op_type not in NONLINEARITIES:
            continue
        reason = _obstacle(node, graph, producers, uses, constants)
        if reason is None:
            conv = producers[node.input[0]]
            replaced[conv.output[0]] = _fused_conv(conv, node, constants)
            replaced[node.output[0]] = None
            fused.append(node_name(node))
        elif node.output[0] in hidden:
            declined.append(Declined(node_name(node), node.op_type, reason))
        else:
            decoding.append(node_name(node))

    if fused:
        nodes = [replaced.get(node.output[0], node) for node in graph.node]  # the order stays topological
        replace_all(graph.node, [node for node in nodes if node is not None])
        drop_unused(graph)
        if not any(opset.domain == _DOMAIN for opset in fused_model.opset_import):
            fused_model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    helper.set_model_props(fused_model, {**metadata_of(model), FUSED_KEY: "false" if declined else "true"})
    return FusionResult(fused_model, tuple(fused), tuple(declined), tuple(decoding))


def unfused_activations(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the activations outside convolutions, ``nchwc`` ones of ONNX Runtime's own making included."""
    hidden = feeding_convolutions(model.graph)
    return tuple(node_name(n) for n in model.graph.node if n.op_type in NONLINEARITIES and n.output[0] in hidden)


def _obstacle(
    node: onnx.NodeProto,
    graph: onnx.GraphProto,
    producers: Mapping[str, onnx.NodeProto],
    uses: Mapping[str, int],
    constants: Mapping[str, NDArray[np.generic]],
) -> str | None:
    """Why the nonlinearity ``node`` cannot move into a convolution, or None where it can."""
    source = node.input[0]
    if _is_silu(node, graph, uses):
        return "SiLU (a Sigmoid times its own input) is not an activation FusedConv knows"
    if node.op_type not in FUSABLE:
        return f"{node.op_type} is not an activation FusedConv knows"
    if source not in producers:
        return "its input comes from outside the graph, not from a Conv"
    conv = producers[source]
    if conv.op_type != "Conv" or conv.domain:
        return f"its input comes from {conv.op_type}, not from a Conv"
    if any(output.name == source for output in graph.output):
        return "the convolution's output is an output of the graph"
    if uses[source] != 1:
        return f"the convolution's output has {uses[source]} consumers"
    if any(name and name not in constants for name in node.input[1:]):
        return f"the limits of {node.op_type} are not constant"
    return None


def _is_silu(node: onnx.NodeProto, graph: onnx.GraphProto, uses: Mapping[str, int]) -> bool:
    """Whether ``node`` is the Sigmoid of ``x * sigmoid(x)``."""
    if node.op_type != "Sigmoid" or uses[node.output[0]] != 1:
        return False
    return any(other.op_type == "Mul" and {*other.input} == {node.input[0], node.output[0]} for other in graph.node)


def _fused_conv(
    conv: onnx.NodeProto, activation: onnx.NodeProto, constants: Mapping[str, NDArray[np.generic]]
) -> onnx.NodeProto:
    """The node that computes ``activation(conv(x))``."""
    node = helper.make_node("FusedConv", conv.input, activation.output, name=conv.name, domain=_DOMAIN)
    node.attribute.extend(conv.attribute)
    node.attribute.append(helper.make_attribute("activation", activation.op_type))
    params = _parameters(activation, constants)
    if params:
        node.attribute.append(helper.make_attribute("activation_params", params))
    return node


def _parameters(activation: onnx.NodeProto, constants: Mapping[str, NDArray[np.generic]]) -> list[float]:
    """``activation_params``, in FusedConv's order. The defaults are those of the ONNX operators."""
    attributes = attributes_of(activation)
    if activation.op_type == "LeakyRelu":
        return [attributes.get("alpha", 0.01)]
    if activation.op_type == "HardSigmoid":
        return [attributes.get("alpha", 0.2), attributes.get("beta", 0.5)]
    if activation.op_type == "Clip":
        limits = [*activation.input[1:], "", ""][:2]
        defaults = (attributes.get("min", -_FLOAT_MAX), attributes.get("max", _FLOAT_MAX))  # attributes before opset 11
        return [
            float(constants[name].item()) if name else default for name, default in zip(limits, defaults, strict=True)
        ]
    return []


def feeding_convolutions(graph: onnx.GraphProto) -> set[str]:
    """Names of the values that some convolution depends on. The graph's nodes stand in topological order."""
    names: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type in CONVOLUTIONS or not names.isdisjoint(node.output):
            names.update(values_read(node))
    return names


def _scalars(graph: onnx.GraphProto) -> dict[str, NDArray[np.generic]]:
    """Constants that are one number: all that an activation's limits can be."""
    tensors = constant_tensors(graph).items()
    return {name: numpy_helper.to_array(tensor) for name, tensor in tensors if int(np.prod(tensor.dims)) == 1}
