"""What each thing that `fusedet lint` finds costs, in small networks with it and without it.

    python -m benchmarks.speed.layout_rules

Each case is a chain of equal blocks, once with the offender in each block and once written as the rule says. Both
compute the same amount; where that cannot be, the time without is scaled by multiply-accumulates. The difference is
told in units of one dense 3x3 convolution of 64 channels on the same map, so that it means something on another
machine: on x86 in the blocked layout (the highest optimisation level), and one level below, without that layout, as ARM
runs it. The latter is measured on the same CPU: what an ARM core makes of it is not known from here.

Sessions run in turn, with one thread, and the clock is that thread's own, so a busy machine disturbs them little.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from benchmarks.command import facts, write_json
from benchmarks.pages import table
from fusedet.deploy.bench.timing import time_in_turn
from fusedet.export import count_ops
from fusedet.export.graph.ops import optimize_model
from fusedet.export.lint.foreign import open_model

CHANNELS = 64
BLOCKS = 6
LEVELS = ("all", "extended")
NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
HALF_PIXEL = {**NEAREST, "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_floor"}


@dataclass
class Graph:
    """A graph in the making; every method adds nodes and returns the name of what they make."""

    side: int
    dtype: type = np.float32
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        """Any node; of several outputs the name of the first."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"n{len(self.nodes)}", **attributes))
        return names[0]

    def constant(self, value: object, dtype: type = np.float32) -> str:
        """A weight or another value that is known."""
        name = f"t{len(self.tensors)}"
        self.tensors[name] = np.array(value, dtype)
        return name

    def conv(self, x: str, cin: int = CHANNELS, cout: int = CHANNELS, kernel: int = 3, groups: int = 1) -> str:
        """A convolution that keeps the map's size, with random weights that keep the values' size."""
        shape = (cout, cin // groups, kernel, kernel)
        weight = self.constant(self.rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:])), self.dtype)
        bias = self.constant(self.rng.standard_normal(cout) * 0.1, self.dtype)
        return self.node("Conv", x, weight, bias, pads=[kernel // 2] * 4, group=groups, kernel_shape=[kernel, kernel])

    def leaky(self, x: str) -> str:
        """The activation that a convolution can hold."""
        return self.node("LeakyRelu", x, alpha=0.1)

    def unit(self, x: str, cin: int = CHANNELS, cout: int = CHANNELS, kernel: int = 3) -> str:
        """A convolution and its activation."""
        return self.leaky(self.conv(x, cin, cout, kernel))

    def shape(self, *sides: int) -> str:
        """A shape for Reshape, or lengths for Split."""
        return self.constant(sides, np.int64)


Block = Callable[[Graph, str], str]


def dense(g: Graph, x: str) -> str:
    """What costs are told in units of."""
    return g.unit(x)


def light(g: Graph, x: str) -> str:
    """A convolution that takes so little time that small things beside it show."""
    return g.unit(x, kernel=1)


def after(extra: Block) -> Block:
    """A convolution without activation, and something on it."""
    return lambda g, x: extra(g, g.conv(x, kernel=1))


def on_unit(extra: Block) -> Block:
    """A convolution with its activation, and something on it."""
    return lambda g, x: extra(g, light(g, x))


def silu(g: Graph, x: str) -> str:
    return g.node("Mul", x, g.node("Sigmoid", x))


def hardswish(g: Graph, x: str) -> str:
    return g.node("HardSwish", x)


def hardswish_in_parts(g: Graph, x: str) -> str:
    clipped = g.node("Clip", g.node("Add", x, g.constant(3)), g.constant(0), g.constant(6))
    return g.node("Div", g.node("Mul", x, clipped), g.constant(6))


def prelu(g: Graph, x: str) -> str:
    return g.node("PRelu", x, g.constant(np.full((CHANNELS, 1, 1), 0.1)))


def residual(first: Block, last: Block) -> Block:
    """``last(first(conv(unit(x))) + x)``."""
    return lambda g, x: last(g, g.node("Add", first(g, g.conv(light(g, x), kernel=1)), x))


def nothing(_: Graph, x: str) -> str:
    return x


def leaky(g: Graph, x: str) -> str:
    return g.leaky(x)


def batchnorm(g: Graph, x: str) -> str:
    return g.leaky(g.node("BatchNormalization", x, *(g.constant(np.ones(CHANNELS)) for _ in range(4))))


def shared(g: Graph, x: str, before: bool) -> str:
    c = g.conv(x, kernel=1)
    a = g.leaky(c)
    return g.node("Add", g.conv(a, kernel=1), c if before else a)


def pool(g: Graph, x: str) -> str:
    return g.node("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])


def split(g: Graph, x: str) -> str:
    half = CHANNELS // 2
    first = g.node("Split", g.unit(x, kernel=1), g.shape(half, half), outputs=2, axis=1)
    return g.node("Concat", first, g.unit(first.replace("_0", "_1"), half, half), axis=1)


def two_convolutions(g: Graph, x: str) -> str:
    half = CHANNELS // 2
    first, second = (g.unit(x, cout=half, kernel=1) for _ in range(2))
    return g.node("Concat", first, g.unit(second, half, half), axis=1)


def concat(g: Graph, x: str, first: int) -> str:
    parts = (g.unit(x, cout=count, kernel=1) for count in (first, CHANNELS - first))
    return g.node("Concat", *parts, axis=1)


def shuffle(g: Graph, x: str) -> str:
    apart = g.node("Reshape", x, g.shape(1, 2, CHANNELS // 2, g.side, g.side))
    turned = g.node("Transpose", apart, perm=[0, 2, 1, 3, 4])
    return g.node("Reshape", turned, g.shape(1, CHANNELS, g.side, g.side))


def squeeze_excite(g: Graph, x: str) -> str:
    small = g.node("Relu", g.conv(g.node("GlobalAveragePool", x), cout=CHANNELS // 4, kernel=1))
    return g.node("Mul", x, g.node("HardSigmoid", g.conv(small, cin=CHANNELS // 4, kernel=1)))


def attention(g: Graph, x: str) -> str:
    points = g.side * g.side
    query, key, value = (g.node("Reshape", g.conv(x, kernel=1), g.shape(1, CHANNELS, points)) for _ in range(3))
    weights = g.node("MatMul", g.node("Transpose", query, perm=[0, 2, 1]), key)
    weights = g.node("Softmax", g.node("Mul", weights, g.constant(CHANNELS**-0.5)), axis=-1)
    mixed = g.node("MatMul", value, g.node("Transpose", weights, perm=[0, 2, 1]))
    return g.conv(g.node("Reshape", mixed, g.shape(1, CHANNELS, g.side, g.side)), kernel=1)


def projections(g: Graph, x: str) -> str:
    """The convolutions of :func:`attention` alone."""
    query, key, value = (g.conv(x, kernel=1) for _ in range(3))
    return g.conv(g.node("Add", g.node("Add", query, key), value), kernel=1)


def doubled(kind: dict[str, str]) -> Block:
    """A Resize to twice the size, and back by pooling."""

    def block(g: Graph, x: str) -> str:
        large = g.node("Resize", x, "", g.constant([1, 1, 2, 2]), **kind)
        return g.node("MaxPool", large, kernel_shape=[2, 2], strides=[2, 2])

    return block


def transposed(g: Graph, x: str) -> str:
    weight = g.constant(g.rng.standard_normal((CHANNELS, CHANNELS, 2, 2)) / np.sqrt(CHANNELS))
    large = g.leaky(g.node("ConvTranspose", x, weight, kernel_shape=[2, 2], strides=[2, 2]))
    return g.node("MaxPool", large, kernel_shape=[2, 2], strides=[2, 2])


def doubled_and_convolved(g: Graph, x: str) -> str:
    """As many multiply-accumulates as :func:`transposed`."""
    large = g.node("Resize", x, "", g.constant([1, 1, 2, 2]), **NEAREST)
    return g.node("MaxPool", g.unit(large, kernel=1), kernel_shape=[2, 2], strides=[2, 2])


def layer_norm(g: Graph, x: str) -> str:
    last = g.node("Transpose", x, perm=[0, 2, 3, 1])
    normed = g.node("LayerNormalization", last, g.constant(np.ones(CHANNELS)), g.constant(np.zeros(CHANNELS)), axis=-1)
    return g.node("Transpose", normed, perm=[0, 3, 1, 2])


def view(g: Graph, x: str) -> str:
    rows = g.side // 2 if sum(node.op_type == "Reshape" for node in g.nodes) % 2 == 0 else g.side
    return g.node("Reshape", x, g.shape(1, CHANNELS, rows, g.side * g.side // rows))


def scaled(g: Graph, x: str) -> str:
    return g.node("Add", g.node("Mul", x, g.constant(0.9)), g.constant(0.1))


def width(channels: int) -> Block:
    return lambda g, x: g.unit(x, channels, channels)


def bottleneck(channels: int) -> Block:
    return lambda g, x: g.unit(g.unit(x, cout=channels), cin=channels)


def grouped(g: Graph, x: str) -> str:
    return g.leaky(g.conv(x, groups=8))


@dataclass(frozen=True)
class Case:
    """A block with what a rule finds, and one without.

    ``scale`` is multiply-accumulates of the former over those of the latter, ``channels`` are of the map between the
    blocks, with and without; ``weight_inputs``: the former lists its weights among the inputs.
    """

    rule: str
    offending: Block
    better: Block = light
    scale: float = 1.0
    channels: tuple[int, int] = (CHANNELS, CHANNELS)
    side: int = 40
    dtype: type = np.float32
    weight_inputs: bool = False

    def offending_chain(self, **settings: Any) -> onnx.ModelProto:
        """The file with the fault; ``settings`` are other ones of :func:`build`."""
        own = {"channels": self.channels[0], "side": self.side, "dtype": self.dtype}
        return build(self.offending, **{**own, "weight_inputs": self.weight_inputs, **settings})

    def better_chain(self, **settings: Any) -> onnx.ModelProto:
        """The file without it."""
        return build(self.better, **{"channels": self.channels[1], "side": self.side, **settings})


_CASES = (
    Case("weight-inputs", dense, dense, weight_inputs=True),
    Case("float16", dense, dense, dtype=np.float16),
    Case("foldable-batchnorm", after(batchnorm)),
    Case("batchnorm", residual(nothing, batchnorm), residual(nothing, nothing)),
    Case("silu", after(silu)),
    Case("hardswish", after(hardswish)),
    Case("hardswish-in-parts", after(hardswish_in_parts)),
    Case("prelu", after(prelu)),
    Case("squeeze-excite", on_unit(squeeze_excite)),
    Case("attention", attention, projections, side=10),
    Case("channel-shuffle", on_unit(shuffle)),
    Case("transposed-convolution", transposed, doubled_and_convolved),
    Case("other-activation", after(lambda g, x: g.node("Elu", x))),
    Case("activation-after-add", residual(nothing, leaky), residual(nothing, nothing)),
    Case("shared-convolution", lambda g, x: shared(g, x, True), lambda g, x: shared(g, x, False)),
    Case("activation-elsewhere", after(lambda g, x: g.leaky(pool(g, x))), on_unit(pool)),
    Case("split", split, two_convolutions),
    Case("half-pixel-resize", on_unit(doubled(HALF_PIXEL)), on_unit(doubled(NEAREST))),
    Case("transpose", on_unit(layer_norm)),
    Case("view", on_unit(view)),
    Case("arithmetic", on_unit(scaled)),
    Case("sum-after-activation", residual(leaky, nothing), residual(nothing, nothing)),
    Case("uneven-channels", width(72), dense, scale=(72 / 64) ** 2, channels=(72, CHANNELS)),
    Case("unblocked-channels", width(58), dense, scale=(58 / 64) ** 2, channels=(58, CHANNELS)),
    Case("grouped-convolution", grouped, dense, scale=1 / 8),
    Case("thin-convolution", bottleneck(8), bottleneck(16), scale=1 / 2),
    Case("ragged-map", lambda g, x: concat(g, x, 24), lambda g, x: concat(g, x, 32)),
)
#: By rule.
CASES = {case.rule: case for case in _CASES}


@dataclass(frozen=True)
class Row:
    """What one occurrence costs: parts of a 3x3 convolution at each level, and reorders at the highest."""

    rule: str
    blocked: float
    plain: float
    reorders: float


def build(
    block: Block,
    *,
    blocks: int = BLOCKS,
    channels: int = CHANNELS,
    side: int = 40,
    dtype: type = np.float32,
    weight_inputs: bool = False,
) -> onnx.ModelProto:
    """A first convolution on three planes, the blocks, and a last convolution."""
    g = Graph(side, dtype)
    last = g.unit("x", 3, channels)
    for _ in range(blocks):
        last = block(g, last)
    last = g.conv(last, channels, 16, 1)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    inputs = [helper.make_tensor_value_info("x", kind, [1, 3, side, side])]
    if weight_inputs:
        inputs += [helper.make_tensor_value_info(k, TensorProto.FLOAT, v.shape) for k, v in g.tensors.items()]
    tensors = [numpy_helper.from_array(array, name) for name, array in g.tensors.items()]
    outputs = [helper.make_tensor_value_info(last, kind, [1, 16, "height", "width"])]
    graph = helper.make_graph(g.nodes, "chain", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def models_of(case: Case) -> dict[str, onnx.ModelProto]:
    """The chains that a case needs: with, without, and two of different length that tell what a convolution costs."""
    return {
        "with": case.offending_chain(),
        "without": case.better_chain(),
        "once": build(dense, side=case.side),
        "twice": build(dense, blocks=2 * BLOCKS, side=case.side),
    }


def fastest(sessions: dict[str, ort.InferenceSession], side: int, rounds: int) -> dict[str, float]:
    """Least seconds of each session, run in turn."""
    x = np.random.default_rng(0).random((1, 3, side, side))
    kinds = {"tensor(float16)": np.float16}
    runs = {
        name: partial(session.run, None, {"x": x.astype(kinds.get(session.get_inputs()[0].type, np.float32))})
        for name, session in sessions.items()
    }
    times = time_in_turn(runs, rounds, warm_up=2, clock=time.thread_time)
    return {name: min(own) / 1e3 for name, own in times.items()}


def count_reorders(model: onnx.ModelProto) -> int:
    ops = count_ops(optimize_model(model))
    return ops["nchwc.ReorderInput"] + ops["nchwc.ReorderOutput"]


def measure(case: Case, rounds: int) -> Row:
    models = models_of(case)
    cost = {}
    for level in LEVELS:
        sessions = {name: open_model(model, level, f"{case.rule} {name}") for name, model in models.items()}
        times = fastest(sessions, case.side, rounds)
        unit = (times["twice"] - times["once"]) / BLOCKS
        outside = times["once"] - BLOCKS * unit  # the first and the last convolution do not scale
        better = outside + (times["without"] - outside) * case.scale
        cost[level] = (times["with"] - better) / BLOCKS / unit
    reorders = (count_reorders(models["with"]) - count_reorders(models["without"])) / BLOCKS
    return Row(case.rule, cost["all"], cost["extended"], reorders)


def show(rows: list[Row]) -> None:
    lines = [(row.rule, f"{row.blocked:+.2f}", f"{row.plain:+.2f}", f"{row.reorders:.1f}") for row in rows]
    print(table(["rule", "blocked layout", "without it", "reorders each"], lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--rule", action="append", help="only this one; repeatable")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    args = parser.parse_args()
    machine = facts()
    rows = [measure(case, args.rounds) for case in CASES.values() if args.rule is None or case.rule in args.rule]
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print(f"one thread, {args.rounds} rounds, parts of a dense 3x3 convolution of {CHANNELS} channels\n")
    show(rows)
    if args.json:
        content = {"machine": machine, "rows": [asdict(row) for row in rows]}
        write_json(args.json, content)


if __name__ == "__main__":
    main()
