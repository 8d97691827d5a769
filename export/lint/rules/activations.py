"""Rules about activations that stand outside their convolution."""

from collections.abc import Iterator

from fusedet.export.graph.fuse import FUSABLE
from fusedet.export.lint.rules.network import Network
from fusedet.export.lint.rules.rule import Cost, Match, rule

_FUSABLE_ONE = "LeakyReLU or ReLU, directly after the convolution"


@rule(
    name="silu",
    title="SiLU: a Sigmoid times its own input",
    breaks=("fusion",),
    x86="one node (QuickGelu) after each convolution, in the blocked layout",
    arm="one node (QuickGelu) after each convolution",
    instead=_FUSABLE_ONE,
    cost=Cost(0.01, 0.02),
)
def silu(network: Network) -> Iterator[Match]:
    """``Sigmoid`` and ``Mul``, or the one node that newer operator sets and ONNX Runtime write."""
    for i in network.inside("Swish", "QuickGelu"):
        yield (i,)
    yield from _gates(network, "Sigmoid")


@rule(
    name="hardswish",
    title="HardSwish",
    breaks=("fusion",),
    x86="in newer releases goes into the convolution, at the highest optimisation level only",
    arm="HardSigmoid and Mul after each convolution",
    instead=_FUSABLE_ONE,
    cost=Cost(0.01, 0.04),
)
def hardswish(network: Network) -> Iterator[Match]:
    """One node, or ``HardSigmoid`` times its own input."""
    for i in network.inside("HardSwish"):
        yield (i,)
    yield from _gates(network, "HardSigmoid")


@rule(
    name="hardswish-in-parts",
    title="HardSwish written as Add, Clip, Mul and Div",
    breaks=("fusion", "layout"),
    x86="four nodes in the plain layout, and a reorder before and after them",
    arm="four nodes after each convolution",
    instead="LeakyReLU or ReLU; if it has to stay, the operator HardSwish (opset 14)",
    cost=Cost(0.10, 0.07),
)
def hardswish_in_parts(network: Network) -> Iterator[Match]:
    """``x * clip(x + 3, 0, 6) / 6``, the division before or after the product or as a multiplication."""
    for clip in network.inside("Clip", "Relu"):
        add = network.source(clip)
        if add is None or network.op(add) != "Add" or 3.0 not in map(network.scalar, network.nodes[add].input):
            continue
        rest = [clip]
        for _ in range(2):  # the product and the division, in either order
            rest += [i for i in network.readers(rest[-1]) if network.op(i) in ("Mul", "Div") and i not in rest][:1]
        yield (*rest, add)


@rule(
    name="prelu",
    title="PReLU: a slope for each channel",
    breaks=("fusion", "layout"),
    x86="one node in the plain layout, and a reorder before and after it",
    arm="one node after each convolution",
    instead="LeakyReLU: a slope for all channels",
    cost=Cost(0.24, 0.16),
)
def prelu(network: Network) -> Iterator[Match]:
    """``PRelu``."""
    return ((i,) for i in network.inside("PRelu"))


@rule(
    name="other-activation",
    title="an activation that no convolution can hold",
    breaks=("fusion", "layout"),
    x86="its nodes in the plain layout, and a reorder before and after them",
    arm="its nodes after each convolution",
    instead=_FUSABLE_ONE,
    cost=Cost(0.30, 0.20),
)
def other_activation(network: Network) -> Iterator[Match]:
    """Elu, Gelu, Mish and the like."""
    for i, declined in network.declined.items():
        if declined.op not in FUSABLE:
            then = network.readers(i)
            if declined.op == "Softplus" and [network.op(j) for j in then] == ["Tanh"]:  # Mish
                yield (i, then[0], *(j for j in network.readers(then[0]) if network.op(j) == "Mul"))
            else:
                yield (i,)


@rule(
    name="activation-after-add",
    title="an activation after a sum",
    breaks=("fusion", "layout"),
    x86="sum and activation in nodes of their own; all but ReLU with a reorder before and after",
    arm="sum and activation in nodes of their own",
    instead="the sum onto a convolution without activation, and nothing after the sum",
    cost=Cost(0.12, 0.03),
)
def activation_after_add(network: Network) -> Iterator[Match]:
    """As in ResNet: ``relu(conv(x) + x)``."""
    for i in network.declined:
        if network.op(network.source(i)) in ("Add", "Sum"):
            yield (i,)


@rule(
    name="shared-convolution",
    title="an activation whose convolution is read before it as well",
    breaks=("fusion", "layout"),
    x86="a node of its own; all but ReLU with a reorder before and after",
    arm="a node of its own",
    instead="let every reader take the activation's output, or give each a convolution",
    cost=Cost(0.07, 0.02),
)
def shared_convolution(network: Network) -> Iterator[Match]:
    """The convolution's output has other consumers, or is an output of the graph."""
    for i in network.declined:
        source = network.source(i)
        if source is not None and network.op(source) == "Conv" and network.op(i) in FUSABLE:
            yield (i,)


@rule(
    name="activation-elsewhere",
    title="an activation that does not follow a convolution",
    breaks=("fusion", "layout"),
    x86="a node of its own; all but ReLU with a reorder before and after",
    arm="a node of its own",
    instead="the activation directly after the convolution, and what stood between the two after it",
    cost=Cost(0.06, 0.03),
)
def activation_elsewhere(network: Network) -> Iterator[Match]:
    """After a Split, a view, a Concat, a pooling, a norm that cannot be folded, and the like."""
    return ((i,) for i in network.declined)


def _gates(network: Network, op: str) -> Iterator[Match]:
    """Each node of this operator with the product of what it makes and what it reads."""
    for i in network.inside(op):
        source = network.source(i)
        for mul in network.readers(i):
            if network.op(mul) == "Mul" and source is not None and source in network.sources(mul):
                yield (i, mul)
