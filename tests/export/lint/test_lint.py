"""Each rule finds its thing and not the better form of it; reorders are ONNX Runtime's own, put down to their cause."""

import platform
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.speed.layout_rules import CASES, build, dense
from fusedet.export import count_ops, random_inputs, time_shares
from fusedet.export.graph.ops import optimize_model
from fusedet.export.lint.lint import OTHER, lint
from fusedet.export.lint.rules import RULES, Network
from tests import ROOT
from tests.export.networks import conv, graph_of, node, quantised

ON_X86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the blocked layout is one of x86")
COSTS = {rule.name: rule.cost for rule in RULES if rule.cost is not None}
#: Rules that the benchmark has no case for.
WITHOUT_COST = {"box-distribution", "quantised"}


def found(model: onnx.ModelProto) -> dict[str, int]:
    """How often each rule finds something, whatever the machine's own blocks are."""
    return {finding.rule: finding.times for finding in lint(model, block=16).report.findings}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_rule_finds_its_case(case):
    offending = case.offending_chain(blocks=2, side=8)
    assert found(offending).get(case.rule, 0) >= 2
    assert case.rule not in found(case.better_chain(blocks=2, side=8))


def test_a_network_that_keeps_the_rules_is_clean():
    report = lint(build(dense, blocks=2, side=8)).report

    assert report.findings == ()
    assert (report.convolutions, report.fusable, report.outside, report.fused) == (4, 3, 0, 0)
    assert report.reorders == report.reorders_at_outputs
    assert report.problem is None


def test_channels_are_judged_by_the_blocks_of_the_machine():
    model = CASES["uneven-channels"].offending_chain(blocks=2, side=8)
    assert [finding.rule for finding in lint(model, block=16).report.findings] == ["uneven-channels"]
    assert lint(model, block=8).report.findings == ()


def test_every_rule_has_a_case_or_an_excuse():
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert set(CASES) == set(COSTS) == set(names) - WITHOUT_COST
    for rule in RULES:
        assert set(rule.breaks) <= {"fusion", "layout"}
        assert rule.find.__doc__, rule.name
        assert all((rule.title, rule.x86, rule.arm, rule.instead))


def test_the_page_has_the_costs_of_the_rules():
    text = (ROOT / "docs/layout.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \| ([\d.]+) \| -?[\d.]+ \|$", text, re.MULTILINE)
    assert {name: (float(blocked), float(plain)) for name, blocked, plain in rows} == {
        name: (cost.blocked, cost.plain) for name, cost in COSTS.items()
    }
    for rule in RULES:
        assert f"`{rule.name}`" in text


NODES = {
    "hardswish as two nodes": (
        [conv("x", "c"), node("HardSigmoid", ["c"], "g"), node("Mul", ["c", "g"], "a"), conv("a", "y")],
        {"hardswish": ("HardSigmoid_g",)},
    ),
    "mish": (
        [
            conv("x", "c"),
            node("Softplus", ["c"], "s"),
            node("Tanh", ["s"], "t"),
            node("Mul", ["c", "t"], "a"),
            conv("a", "y"),
        ],
        {"other-activation": ("Softplus_s",)},
    ),
    "activation of an output": (
        [conv("x", "c"), node("Relu", ["c"], "a"), node("Add", ["a", "c"], "s"), conv("s", "y")],
        {"shared-convolution": ("Relu_a",), "sum-after-activation": ("Add_s",)},
    ),
    "slices of one map count once": (
        [
            conv("x", "c"),
            node("Slice", ["c", "zero", "half", "one"], "f"),
            node("Slice", ["c", "half", "whole", "one"], "g"),
            node("Concat", ["g", "f"], "s", axis=1),
            conv("s", "y"),
        ],
        {"split": ("Slice_f",)},
    ),
    "a gate is no SiLU": (
        [conv("x", "c"), conv("x", "d"), node("Sigmoid", ["c"], "g"), node("Mul", ["d", "g"], "a"), conv("a", "y")],
        {"arithmetic": ("Mul_a",)},
    ),
    "decoding is left alone": (
        [conv("x", "c"), node("Sigmoid", ["c"], "g"), node("Mul", ["c", "g"], "y")],
        {},
    ),
    "preparation is left alone": (
        [node("Mul", ["x", "scale"], "m"), node("Transpose", ["m"], "t", perm=[0, 1, 3, 2]), conv("t", "y")],
        {},
    ),
}


@pytest.mark.parametrize(("nodes", "expected"), NODES.values(), ids=NODES)
def test_what_is_found_where(nodes, expected):
    numbers = {name: np.array([value]) for name, value in {"zero": 0, "half": 8, "whole": 16, "one": 1}.items()}
    report = lint(graph_of(nodes, constants={"scale": np.float32([0.5]), **numbers})).report
    assert {finding.rule: finding.nodes for finding in report.findings} == expected


def test_a_distribution_of_box_sides():
    half = build(dense, blocks=1, side=4)
    logits = half.graph.node[-1].output[0]
    shape = numpy_helper.from_array(np.array([1, 4, 4, 16]), "s")
    bins = numpy_helper.from_array(np.ones((1, 4, 1, 1), np.float32), "bins")
    half.graph.initializer.extend((shape, bins))
    half.graph.node.extend(
        (
            helper.make_node("Reshape", [logits, "s"], ["r"], name="r"),
            helper.make_node("Softmax", ["r"], ["p"], name="p", axis=1),
            helper.make_node("Conv", ["p", "bins"], ["y"], name="dfl"),
        )
    )
    del half.graph.output[:]
    half.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))

    findings = {finding.rule: finding.nodes for finding in lint(half).report.findings}

    assert findings["box-distribution"] == ("p",)
    assert "view" not in findings


def test_a_quantised_network():
    assert found(quantised(graph_of([conv("x", "c"), node("Relu", ["c"], "y")]))) == {"quantised": 1}


@ON_X86
def test_reorders_are_those_of_onnx_runtime_and_have_their_cause():
    model = CASES["split"].offending_chain(blocks=3, side=8)

    report = lint(model).report

    ops = count_ops(optimize_model(model))
    assert report.reorders == ops["nchwc.ReorderInput"] + ops["nchwc.ReorderOutput"]
    (finding,) = report.findings
    assert (finding.rule, finding.times) == ("split", 3)
    assert finding.reorders == report.reorders - report.reorders_at_outputs, "a Concat after a Split is not to blame"


@ON_X86
def test_operators_that_no_rule_knows_are_found_by_their_reorders():
    report = lint(build(lambda g, x: g.node("CumSum", g.unit(x), g.constant(1, np.int64)), blocks=2, side=8)).report

    (finding,) = report.findings
    assert (finding.rule, finding.times) == (OTHER, 2)
    assert finding.title.endswith("2 CumSum")
    assert finding.reorders == report.reorders - report.reorders_at_outputs == 4


def test_weights_among_the_inputs_do_not_hide_the_rest():
    case = CASES["prelu"]
    hidden = lint(case.offending_chain(blocks=2, side=8, weight_inputs=True)).report
    plain = lint(case.offending_chain(blocks=2, side=8)).report

    assert hidden.reorders == plain.reorders
    assert [finding.rule for finding in hidden.findings] == ["weight-inputs", "prelu"]
    assert [finding.rule for finding in plain.findings] == ["prelu"]


def test_what_onnx_runtime_cannot_run_is_judged_by_its_graph():
    model = build(dense, blocks=1, side=8)
    model.graph.node[-1].domain = "somewhere"
    model.opset_import.append(helper.make_opsetid("somewhere", 1))

    report = lint(model).report

    assert (report.reorders, report.optimized_ops) == (None, {})
    assert "cannot run it" in report.problem


def test_the_model_is_left_as_it_is():
    model = build(dense, blocks=1, side=8, weight_inputs=True)
    before = model.SerializeToString(deterministic=True)
    lint(model)
    assert model.SerializeToString(deterministic=True) == before


def test_channels_are_followed_through_the_graph():
    nodes = [conv("x", "c"), node("Relu", ["c"], "r"), node("Concat", ["c", "r"], "m", axis=1)]
    model = graph_of([*nodes, helper.make_node("Identity", ["m"], ["y"])], outputs=("r",))
    assert Network(model).channels("m") == 32
    assert Network(model).channels("x") is None


@ON_X86
def test_time_is_put_down_to_findings():
    model = CASES["prelu"].offending_chain(blocks=3, side=24)
    result = lint(model)

    shares = time_shares(result, random_inputs(model, {"x": (1, 3, 24, 24)}, "x")[0], rounds=3)

    assert set(shares.findings) == {"prelu"}
    assert 0 < shares.findings["prelu"] < 1
    assert 0 < shares.reorders < shares.findings["prelu"] + 0.5
    assert shares.convolutions + shares.findings["prelu"] <= 1.0001
    assert result.with_shares(shares.findings).findings[0].share == shares.findings["prelu"]


@ON_X86
def test_activations_in_blocks_have_their_time():
    model = CASES["silu"].offending_chain(blocks=3, side=24)
    shares = time_shares(lint(model), random_inputs(model, {"x": (1, 3, 24, 24)}, "x")[0], rounds=3)
    assert shares.findings["silu"] > 0
