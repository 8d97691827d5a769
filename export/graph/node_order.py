"""The order of a graph's nodes: each after those whose values it reads, as the ONNX specification asks.

ONNX Runtime runs a graph in any order, and its quantiser writes one in no order at all; checkers, converters and other
runtimes refuse such a file.
"""

import heapq
from collections import defaultdict

import onnx

from fusedet.common.errors import InputError
from fusedet.export.graph.fuse import values_read


def sort_nodes(graph: onnx.GraphProto | onnx.FunctionProto, source: str) -> bool:
    """Sorts the nodes of a graph or function in place, those of its subgraphs as well.

    Nodes move no further than they have to.

    Args:
        graph: whose nodes may stand in any order.
        source: the file's name, for the error message.

    Returns:
        Whether anything had to move.

    Raises:
        InputError: nodes wait for each other in a circle.
    """
    inner = [sort_nodes(subgraph, source) for node in graph.node for subgraph in _subgraphs(node)]
    order = _order(graph, source)
    if order == list(range(len(order))):
        return any(inner)
    nodes = [graph.node[i] for i in order]
    del graph.node[:]
    graph.node.extend(nodes)
    return True


def _order(graph: onnx.GraphProto | onnx.FunctionProto, source: str) -> list[int]:
    """Positions of the nodes, the first of those that are ready always next."""
    makers = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    waiting_for = [{makers[name] for name in values_read(node) if name in makers} for node in graph.node]
    readers = defaultdict[int, list[int]](list)
    for reader, awaited in enumerate(waiting_for):
        for maker in awaited:
            readers[maker].append(reader)
    ready = [i for i, awaited in enumerate(waiting_for) if not awaited]  # ascending, so a heap already
    order = []
    while ready:
        order.append(heapq.heappop(ready))
        for reader in readers[order[-1]]:
            waiting_for[reader].discard(order[-1])
            if not waiting_for[reader]:
                heapq.heappush(ready, reader)
    if len(order) < len(graph.node):
        stuck = next(node for node, awaited in zip(graph.node, waiting_for, strict=True) if awaited)
        raise InputError(f"{source}: not a valid ONNX graph: node {stuck.name or stuck.output[0]} waits for itself")
    return order


def _subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs) if graph.node]
