"""The benchmarks under an emulated ARM core, without the emulator: what they build and print."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from benchmarks.arm64.convolutions import CHANNELS, KINDS, LAYERS, OUTPUTS, SIDE, Kind, build_chain, row
from benchmarks.arm64.cost import table
from fusedet.export.graph.fused_activations import fused_activations
from tests.arm64.counting import Instructions


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_chains_run(kind: Kind) -> None:
    chain = build_chain(kind)
    onnx.checker.check_model(chain)

    session = ort.InferenceSession(chain.SerializeToString(), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"x0": np.ones((1, CHANNELS, SIDE, SIDE), np.float32)})

    assert out.size * LAYERS == OUTPUTS
    assert len(fused_activations(chain)) == (LAYERS if kind.activation == "LeakyRelu" else 0)


def test_rows_are_for_one_value_and_one_product() -> None:
    cost = Instructions(vector=18 * OUTPUTS, memory=OUTPUTS, other=8 * OUTPUTS)

    assert row(Kind("dw", 3, depthwise=True), cost) == "| dw | 27.0 | 18.0 | 1.0 | 8.0 | 3.00 |"


def test_ratios_are_to_the_unit() -> None:
    costs = {"peer": Instructions(2_000_000, 1_000_000, 1_000_000), "ours": Instructions(1_000_000, 0, 0)}

    assert table(costs, "peer").splitlines()[2:] == [
        "| peer | 4 | 2 | 1 | 1 | 1.00 |",
        "| ours | 1 | 1 | 0 | 0 | 0.25 |",
    ]
