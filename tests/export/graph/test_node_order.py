"""Nodes that stand before what they read are put behind it, and no further than that."""

import onnx
import pytest
from onnx import TensorProto, helper

from fusedet.common.errors import InputError
from fusedet.export import fuse_file, read_foreign
from fusedet.export.graph.node_order import sort_nodes
from tests.export.networks import conv, graph_of, node

NODES = [conv("x", "a"), node("Relu", ["a"], "m"), conv("m", "c"), node("Relu", ["c"], "y")]


def shuffled(order) -> onnx.ModelProto:
    model = graph_of(NODES)
    nodes = [model.graph.node[i] for i in order]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 0, 1)])
def test_nodes_in_any_order_are_sorted(order):
    model = shuffled(order)

    assert sort_nodes(model.graph, "it")

    assert [n.output[0] for n in model.graph.node] == ["a", "m", "c", "y"]
    onnx.checker.check_model(model)


def test_sorted_nodes_stay_where_they_are():
    model = graph_of([conv("x", "a"), conv("x", "m"), node("Add", ["a", "m"], "y")])
    before = model.SerializeToString()

    assert not sort_nodes(model.graph, "it")
    assert model.SerializeToString() == before


def test_a_subgraph_is_sorted_and_what_it_reads_comes_before_it():
    inner = helper.make_graph(
        [node("Relu", ["r"], "branch"), node("Neg", ["late"], "r")],
        "inner",
        [],
        [helper.make_tensor_value_info("branch", TensorProto.FLOAT, None)],
    )
    choice = helper.make_node("If", ["flag"], ["y"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([choice, node("Abs", ["x"], "late")], "g", [], [])

    assert sort_nodes(graph, "it")

    assert [n.op_type for n in graph.node] == ["Abs", "If"]
    assert [n.op_type for n in graph.node[1].attribute[0].g.node] == ["Neg", "Relu"]


def test_a_circle_is_refused_by_name():
    graph = helper.make_graph([node("Relu", ["b"], "a"), node("Relu", ["a"], "b")], "g", [], [])

    with pytest.raises(InputError, match=r"it: .*Relu_a"):
        sort_nodes(graph, "it")


def test_a_file_from_elsewhere_in_any_order_is_fused(tmp_path):
    onnx.save(shuffled((3, 2, 1, 0)), tmp_path / "odd.onnx")

    result = fuse_file(tmp_path / "odd.onnx")

    assert len(result.fusion.fused) == 2
    onnx.checker.check_model(read_foreign(result.fused))
