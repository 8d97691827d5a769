import platform

import onnx
import pytest

from fusedet.export.graph.ops import count_ops, optimize
from tests.export.networks import conv, graph_of, node


def residual_nodes():
    activation = node("LeakyRelu", ["c"], "a", alpha=0.1)
    return [conv("x", "r"), conv("r", "c"), activation, conv("a", "d"), node("Add", ["d", "r"], "e"), conv("e", "y")]


def test_operators_are_counted_with_their_domain():
    model = graph_of([conv("x", "c"), node("Relu", ["c"], "a"), conv("a", "y")])
    model.graph.node[0].domain = "com.microsoft.nchwc"
    model.graph.node[1].domain = "somewhere"

    assert count_ops(model) == {"nchwc.Conv": 1, "somewhere.Relu": 1, "Conv": 1}


def test_optimizing_leaves_nothing_behind(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(graph_of(residual_nodes()), path)

    optimize(path)

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the blocked layout is one of x86")
def test_what_runs_on_x86(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(graph_of(residual_nodes()), path)

    ops = count_ops(optimize(path))

    assert ops == {"nchwc.ReorderInput": 1, "nchwc.Conv": 4, "nchwc.ReorderOutput": 1}
