"""The benchmarks under an emulated ARM core, without the emulator: what they build and print."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from benchmarks.arm64.convolutions import CHANNELS, KINDS, LAYERS, OUTPUTS, SIDE, Kind, build_chain
from fusedet.export.graph.ops import fused_activations


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_chains_run(kind: Kind) -> None:
    chain = build_chain(kind)
    onnx.checker.check_model(chain)

    session = ort.InferenceSession(chain.SerializeToString(), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"x0": np.ones((1, CHANNELS, SIDE, SIDE), np.float32)})

    assert out.size * LAYERS == OUTPUTS
    assert len(fused_activations(chain)) == (LAYERS if kind.activation == "LeakyRelu" else 0)
