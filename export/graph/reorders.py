"""Why ONNX Runtime changes the layout where it does: each reorder of an optimised graph, and the node behind it.

A node that knows the blocked layout still works in the plain one when one of its inputs comes so. The *cause* of a
reorder is therefore looked for upwards, from the plain node at the reorder, past such followers, to the first node that
cannot work in blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx

_CONVOLUTIONS = ("Conv", "FusedConv")
_REORDERS = ("ReorderInput", "ReorderOutput")
#: Operators that ONNX Runtime computes in blocks when all their inputs are.
_FOLLOWERS = frozenset({"Add", "Concat", "LeakyRelu", "QuickGelu", "Relu", "Sigmoid", "Sum", "Tanh"})


@dataclass(frozen=True)
class Reorder:
    """A change between the plain and the blocked layout, which makes ``value`` of the optimised graph.

    ``cause`` is the value, named as in the file, whose maker needs the plain layout, or which a convolution takes in
    that layout (``for_convolution``); None where it is the graph's input. ``at_output``: on the way to the graph's
    outputs, where one has to be.
    """

    value: str
    cause: str | None
    for_convolution: bool
    at_output: bool


def find_reorders(optimized: onnx.ModelProto, inside: set[str]) -> tuple[Reorder, ...]:
    """The reorders of a graph that :func:`fusedet.export.optimize` gave.

    ``inside`` are the values on which some convolution depends, by their names in the file.
    """
    nodes = optimized.graph.node
    producers = {name: node for node in nodes for name in node.output}
    consumers: dict[str, list[onnx.NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    found = []
    for node in nodes:
        if node.op_type == "ReorderInput":
            plain = producers.get(node.input[0])
            found.append(Reorder(node.output[0], _cause(plain, producers), False, False))
        elif node.op_type == "ReorderOutput":
            readers = consumers.get(node.output[0], [])
            within = [r for r in readers if inside.intersection(r.output) and r.op_type not in _CONVOLUTIONS]
            convolves = any(r.op_type in _CONVOLUTIONS for r in readers)
            if within:
                found.append(Reorder(node.output[0], _cause(within[0], producers), False, False))
            else:
                found.append(Reorder(node.output[0], node.output[0], convolves, not convolves))
    return tuple(found)


def _cause(node: onnx.NodeProto | None, producers: Mapping[str, onnx.NodeProto]) -> str | None:
    """The first output of the node that keeps ``node`` in the plain layout: itself, or one above it."""
    seen: set[str] = set()
    while node is not None and node.op_type in _FOLLOWERS and node.output[0] not in seen:
        seen.add(node.output[0])
        plain = [producers[name] for name in node.input if name in producers]
        above = next((n for n in plain if n.op_type not in _REORDERS and n.domain != "com.microsoft.nchwc"), None)
        if above is None:
            break  # it follows nobody: the reason is in itself
        node = above
    return None if node is None else node.output[0]
