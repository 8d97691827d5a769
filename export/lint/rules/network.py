"""A graph as rules look at it: who makes a value, who reads it, and what lies between convolutions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import onnx
from onnx import numpy_helper

from fusedet.export.graph.fuse import CONVOLUTIONS, Declined, feeding_convolutions, fuse
from fusedet.export.graph.nodes import attributes_of, constant_tensors, node_name

#: Operators whose output has as many channels as their first input.
_KEEP_CHANNELS = frozenset({"Add", "AveragePool", "BatchNormalization", "Dropout", "Identity", "MaxPool", "Mul", "Sum"})
_KEEP_CHANNELS |= frozenset({"Pad", "Resize", "Upsample", "Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu"})
_KEEP_CHANNELS |= frozenset({"PRelu", "QuickGelu", "Relu", "Sigmoid", "Tanh"})


class Network:
    """The nodes of a graph, in topological order. Rules name a node by its position.

    A value is *inside* when it depends on a convolution and a convolution depends on it: what comes before the first
    one prepares the image, what comes after the last one decodes, and neither is the network's concern.

    Attributes:
        block: channels of a block of the machine's vector unit, by which channel counts are judged.
        weight_inputs: weights that the file lists as inputs; ``model`` no more does.
        declined: why an activation cannot move into its convolution, by the node's position.
    """

    def __init__(self, model: onnx.ModelProto, block: int = 16, weight_inputs: Iterable[str] = ()) -> None:
        self.model = model
        self.block = block
        self.nodes = list(model.graph.node)
        self._producers = {name: i for i, node in enumerate(self.nodes) for name in node.output}
        self._consumers: dict[str, list[int]] = defaultdict(list)
        for i, node in enumerate(self.nodes):
            for name in node.input:
                self._consumers[name].append(i)
        self.weight_inputs = frozenset(weight_inputs)
        self._tensors = constant_tensors(model.graph)
        self._fed = self._fed_by_convolutions()
        self._inside = self._fed & feeding_convolutions(model.graph)
        self.declined = self._find_declined()

    def all(self, *ops: str) -> Iterator[int]:
        """Positions of the nodes with one of these operators."""
        return (i for i, node in enumerate(self.nodes) if node.op_type in ops)

    def inside(self, *ops: str) -> Iterator[int]:
        """Those of :meth:`all` that lie between convolutions."""
        return (i for i in self.all(*ops) if self.is_inside(i))

    def is_inside(self, i: int) -> bool:
        """Whether node ``i`` lies between convolutions. A convolution does when another one follows it."""
        return any(name in self._inside for name in self.nodes[i].output)

    def is_fed(self, i: int) -> bool:
        """Whether node ``i`` depends on a convolution before it."""
        return any(name in self._fed for name in self.nodes[i].input)

    def op(self, i: int | None) -> str:
        """The operator of node ``i``; empty for what comes from outside the graph."""
        return "" if i is None else self.nodes[i].op_type

    def name(self, i: int) -> str:
        """The node's name, or its output's where it has none."""
        return node_name(self.nodes[i])

    def source(self, i: int, slot: int = 0) -> int | None:
        """The node that makes input ``slot`` of node ``i``; None for inputs of the graph, weights and missing ones."""
        inputs = self.nodes[i].input
        return self._producers.get(inputs[slot]) if slot < len(inputs) else None

    def sources(self, i: int) -> list[int]:
        """The nodes that node ``i`` reads from."""
        return [self._producers[name] for name in self.nodes[i].input if name in self._producers]

    def readers(self, i: int) -> list[int]:
        """The nodes that read what node ``i`` makes, once for each time they do."""
        return [reader for name in self.nodes[i].output for reader in self._consumers[name]]

    def maker(self, value: str) -> int | None:
        """The node that makes ``value``."""
        return self._producers.get(value)

    def is_constant(self, value: str) -> bool:
        """Whether a value is a weight or a constant."""
        return value in self._tensors

    def scalar(self, name: str) -> float | None:
        """The value of a constant that is one number; None for anything else."""
        tensor = self._tensors.get(name)
        if tensor is None or int(np.prod(tensor.dims)) != 1:
            return None
        return float(numpy_helper.to_array(tensor).item())

    def attribute(self, i: int, name: str, default: object) -> object:
        """An attribute of node ``i``, text decoded."""
        value = attributes_of(self.nodes[i]).get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def weight(self, i: int) -> tuple[int, ...] | None:
        """Shape of the kernel of convolution ``i``: ``(out, in / groups, height, width)``."""
        tensor = self._tensors.get(self.nodes[i].input[1])
        return None if tensor is None else tuple(tensor.dims)

    def groups(self, i: int) -> int:
        """The groups of convolution ``i``."""
        return int(str(self.attribute(i, "group", 1)))

    def channels(self, value: str, depth: int = 64) -> int | None:
        """How many channels a value has, as far as weights tell it."""
        i = self._producers.get(value)
        if i is None or depth == 0:
            return None
        op = self.op(i)
        if op in ("Conv", "FusedConv"):
            shape = self.weight(i)
            return shape[0] if shape else None
        if op == "Concat" and self.attribute(i, "axis", 0) == 1:
            parts = [self.channels(name, depth - 1) for name in self.nodes[i].input]
            return None if None in parts else sum(part for part in parts if part)
        if op in _KEEP_CHANNELS:
            return self.channels(self.nodes[i].input[0], depth - 1)
        return None

    def _fed_by_convolutions(self) -> set[str]:
        names: set[str] = set()
        for node in self.nodes:
            if node.op_type in CONVOLUTIONS or not names.isdisjoint(node.input):
                names.update(node.output)
        return names

    def _find_declined(self) -> dict[int, Declined]:
        by_name = {(self.name(i), node.op_type): i for i, node in enumerate(self.nodes)}
        return {by_name[declined.node, declined.op]: declined for declined in fuse(self.model).declined}
