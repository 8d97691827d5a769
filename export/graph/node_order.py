"""The order of a graph's nodes: each after those whose values it reads, as the ONNX specification asks.

ONNX Runtime runs a graph in any order, and its quantiser writes one in no order at all; checkers, converters and other
runtimes refuse such a file.
"""

from graphlib import CycleError, TopologicalSorter

import onnx

from fusedet.common.errors import InputError
from fusedet.export.graph.nodes import node_name, replace_all, subgraphs, values_read


def sort_nodes(graph: onnx.GraphProto | onnx.FunctionProto, source: str) -> bool:
    """Sorts the nodes of a graph or function in place, those of its subgraphs as well; False where all were in order.

    Raises:
        InputError: nodes wait for each other in a circle; ``source`` is the file's name in the message.
    """
    inner = [sort_nodes(subgraph, source) for node in graph.node for subgraph in subgraphs(node)]
    makers = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    awaited = {i: [makers[name] for name in values_read(node) if name in makers] for i, node in enumerate(graph.node)}
    if all(maker < reader for reader, found in awaited.items() for maker in found):
        return any(inner)
    try:
        order = list(TopologicalSorter(awaited).static_order())
    except CycleError as error:
        stuck = node_name(graph.node[error.args[1][0]])
        raise InputError(f"{source}: not a valid ONNX graph: node {stuck} waits for itself") from error
    replace_all(graph.node, [graph.node[i] for i in order])
    return True
