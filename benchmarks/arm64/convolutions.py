"""What kinds of convolutions cost an ARM core, in instructions that an emulator counts.

    python -m benchmarks.arm64.convolutions

Chains of equal convolutions, 64 channels on 40 x 40, as ONNX Runtime's package for aarch64 runs them on one thread. It
takes minutes, needs what ``make arm64`` needs and a C compiler.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.arm64.counting import Instructions, count_runs
from tests.arm64.emulator import CPU, open_emulator
from tests.arm64.root import RootError, make_root, wheels

CHANNELS, SIDE, LAYERS, RUNS = 64, 40, 4, 4
OUTPUTS = LAYERS * CHANNELS * SIDE * SIDE
_OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]


@dataclass(frozen=True)
class Kind:
    """A kind of convolution; its activation is None, ``LeakyRelu`` inside it, or ``SiLU`` after it."""

    name: str
    kernel: int
    depthwise: bool = False
    activation: str | None = None

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one value of the output."""
        return self.kernel**2 * (1 if self.depthwise else CHANNELS)


KINDS = (
    Kind("1x1", 1),
    Kind("1x1 with LeakyReLU inside", 1, activation="LeakyRelu"),
    Kind("1x1, then SiLU", 1, activation="SiLU"),
    Kind("3x3", 3),
    Kind("depthwise 3x3", 3, depthwise=True),
    Kind("depthwise 5x5", 5, depthwise=True),
    Kind("depthwise 7x7", 7, depthwise=True),
)


def build_chain(kind: Kind) -> onnx.ModelProto:
    """A file of :data:`LAYERS` convolutions of one kind, one after the other."""
    rng, group = np.random.default_rng(0), CHANNELS if kind.depthwise else 1
    shape = (CHANNELS, CHANNELS // group, kind.kernel, kind.kernel)
    weights = [numpy_helper.from_array(np.zeros(CHANNELS, np.float32), "bias")]
    nodes: list[onnx.NodeProto] = []
    last = "x0"
    for layer in range(LAYERS):
        weights.append(numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), f"w{layer}"))
        more, last = _layer(kind, group, layer, last)
        nodes += more
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, CHANNELS, SIDE, SIDE]) for name in ("x0", last)]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=_OPSETS, ir_version=8)


def _layer(kind: Kind, group: int, layer: int, source: str) -> tuple[list[onnx.NodeProto], str]:
    """Nodes of one layer, and the name of its output."""
    inputs, out = [source, f"w{layer}", "bias"], f"x{layer + 1}"
    settings = {"group": group, "kernel_shape": [kind.kernel] * 2, "pads": [kind.kernel // 2] * 4}
    if kind.activation == "LeakyRelu":
        inside = {"activation": "LeakyRelu", "activation_params": [0.1], "domain": "com.microsoft"}
        return [helper.make_node("FusedConv", inputs, [out], **settings, **inside)], out
    if kind.activation == "SiLU":
        gate, product = f"{out}/gate", f"{out}/product"
        return [
            helper.make_node("Conv", inputs, [out], **settings),
            helper.make_node("Sigmoid", [out], [gate]),
            helper.make_node("Mul", [out, gate], [product]),
        ], product
    return [helper.make_node("Conv", inputs, [out], **settings)], out


def row(kind: Kind, cost: Instructions) -> str:
    """A line of the table."""
    each = [count / OUTPUTS for count in (cost.total, cost.vector, cost.memory, cost.other)]
    return f"| {kind.name} | {' | '.join(f'{count:.1f}' for count in each)} | {each[0] / kind.macs:.2f} |"


def main() -> None:
    try:
        with tempfile.TemporaryDirectory() as folder, open_emulator(make_root()) as emulator:
            print(f"emulated {CPU}, {', '.join(wheels())}; instructions for one value of the output\n")
            print("| convolution | all | vector | load, store | other | for one multiply-accumulate |")
            print("| --- | ---: | ---: | ---: | ---: | ---: |")
            for kind in KINDS:
                path = Path(folder) / "chain.onnx"
                onnx.save(build_chain(kind), path)
                print(row(kind, count_runs(emulator, path, RUNS)), flush=True)
    except RootError as error:
        sys.exit(f"arm64: {error}")


if __name__ == "__main__":
    main()
