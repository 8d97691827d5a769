"""The graph that ONNX Runtime runs on ARM: every activation inside its convolution there as well."""

import json
from collections import Counter
from pathlib import Path

import onnx
import pytest

from fusedet.export import standing_activations
from fusedet.export.carriers import activation_carriers
from fusedet.export.ops import count_ops
from tests.arm64.emulator import Emulator

pytestmark = pytest.mark.arm64

#: Kinds of operators that are activations; a Sigmoid makes scores, after the last convolution.
ACTIVATIONS = {"Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "QuickGelu", "Relu", "Tanh"}


def test_no_activation_stands_alone(emulator: Emulator, model: Path) -> None:
    out = emulator.folder / "optimized.onnx"

    ran = Counter(json.loads(emulator.guest("operators", emulator.put(model), emulator.inside(out))))

    graph, shipped = onnx.load(out), onnx.load(model)
    print(dict(ran))
    carriers = activation_carriers(graph)
    assert {carrier.activation for carrier in carriers} == {"LeakyRelu"}
    assert {carrier.parameters for carrier in carriers} == {one.parameters for one in activation_carriers(shipped)}
    assert len(carriers) == len(activation_carriers(shipped)) == ran["FusedConv"]
    assert standing_activations(graph) == ()
    assert not ACTIVATIONS & ran.keys()
    assert not [op for op in count_ops(graph) if op.startswith("nchwc.")]  # x86 alone has that layout
    assert ran["FusedConv"] + ran["Conv"] == sum(op in ("FusedConv", "Conv") for op in count_ops(graph).elements())
