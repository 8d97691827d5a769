"""The graph that ONNX Runtime runs on ARM: every activation inside its convolution there as well."""

import json
from collections import Counter
from pathlib import Path

import onnx
import pytest

from fusedet.export import unfused_activations
from fusedet.export.graph.ops import count_ops, fused_activations
from tests.arm64.emulator import Emulator

pytestmark = pytest.mark.arm64

#: Kinds of operators that are activations; a Sigmoid makes scores, after the last convolution.
ACTIVATIONS = {"Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "QuickGelu", "Relu", "Tanh"}


def test_no_activation_stands_alone(emulator: Emulator, model: Path) -> None:
    out = emulator.folder / "optimized.onnx"

    ran = Counter(json.loads(emulator.guest("operators", emulator.put(model), emulator.inside(out))))

    graph, shipped = onnx.load(out), onnx.load(model)
    print(dict(ran))
    carriers, expected = fused_activations(graph), fused_activations(shipped)
    assert {carrier.activation for carrier in carriers} == {"LeakyRelu"}
    assert sorted(carrier.parameters for carrier in carriers) == sorted(carrier.parameters for carrier in expected)
    assert unfused_activations(graph) == ()
    assert not ACTIVATIONS & ran.keys()
    ops = count_ops(graph)
    assert not [op for op in ops if "nchwc" in op]  # x86 alone has that layout
    # Those without an activation add the sum of a residual while their result is at hand.
    assert ran["FusedConv"] == ops["FusedConv"] >= len(carriers)
    assert ran["Conv"] == ops["Conv"]
    assert {carrier.op for carrier in carriers} == {"FusedConv"}
