"""Rules about the convolutions themselves, and about the file as a whole."""

from collections.abc import Iterator

from onnx import TensorProto

from fusedet.export.lint.rules.network import Network
from fusedet.export.lint.rules.rule import Cost, Match, rule

#: Input channels have to be a multiple of this, or the convolution is not computed in blocks.
_ALIGNMENT = 4
_CONVOLUTIONS = ("Conv", "FusedConv")


@rule(
    name="weight-inputs",
    title="weights listed as inputs of the graph",
    breaks=("fusion", "layout"),
    x86="they could change at any call, so nothing is folded and no convolution is computed in blocks",
    arm="they could change at any call, so nothing is folded",
    instead="nothing: `fusedet fuse` takes them off the list; or export with keep_initializers_as_inputs=False",
    cost=Cost(0.39, 0.01),
)
def weight_inputs(network: Network) -> Iterator[Match]:
    """Convolutions whose kernel is an input with a default, as old exporters wrote them."""
    for i in network.all(*_CONVOLUTIONS):
        if network.nodes[i].input[1] in network.weight_inputs:
            yield (i,)


@rule(
    name="float16",
    title="weights in float16",
    breaks=("layout",),
    x86="some kernels are missing: casts to float32 and back, and convolutions outside the blocked layout",
    arm="fast only on cores with float16 arithmetic; casts elsewhere",
    instead="float32 for a CPU",
    cost=Cost(0.17, 0.11),
)
def float16(network: Network) -> Iterator[Match]:
    """Convolutions with a kernel in float16."""
    kinds = {tensor.name: tensor.data_type for tensor in network.model.graph.initializer}
    for i in network.all(*_CONVOLUTIONS):
        if kinds.get(network.nodes[i].input[1]) == TensorProto.FLOAT16:
            yield (i,)


@rule(
    name="quantised",
    title="a quantised network",
    breaks=("fusion",),
    x86="another set of kernels, with its own layout and fusions; nothing here is about them",
    arm="another set of kernels, with its own layout and fusions; nothing here is about them",
    instead="fuse and check the float network that it was made from",
)
def quantised(network: Network) -> Iterator[Match]:
    """Integer convolutions, or float ones between ``DequantizeLinear`` and ``QuantizeLinear``."""
    return ((i,) for i in network.all("QLinearConv", "ConvInteger", "QuantizeLinear", "DynamicQuantizeLinear"))


@rule(
    name="unblocked-channels",
    title="a convolution with input channels that are no multiple of 4",
    breaks=("layout",),
    x86="computed in the plain layout, with reorders around it",
    arm="no matter",
    instead="channels in multiples of 16",
    cost=Cost(0.35, 0.03),
)
def unblocked(network: Network) -> Iterator[Match]:
    """Dense ones; the first convolution, on the image, has a kernel of its own."""
    for i in network.all(*_CONVOLUTIONS):
        shape = network.weight(i)
        if shape and network.groups(i) == 1 and shape[1] >= network.block and shape[1] % _ALIGNMENT:
            yield (i,)


@rule(
    name="uneven-channels",
    title="a convolution whose output channels do not fill whole blocks",
    breaks=("layout",),
    x86="the last block is filled with zeros and computed all the same",
    arm="no matter, but multiples of 4",
    instead="channels in multiples of 16 (AVX-512), or at least of 8 (AVX2)",
    cost=Cost(0.42, 0.00),
)
def uneven(network: Network) -> Iterator[Match]:
    """Not those that give the network's outputs: their number is that of classes and the like."""
    for i in network.inside(*_CONVOLUTIONS):
        shape = network.weight(i)
        if shape and shape[0] % network.block:
            yield (i,)


@rule(
    name="thin-convolution",
    title="a convolution with fewer input channels than a block",
    breaks=("layout",),
    x86="reads them from the plain layout, with a reorder before it",
    arm="no matter",
    instead="at least 16 channels inside the network",
    cost=Cost(0.24, 0.15),
)
def thin(network: Network) -> Iterator[Match]:
    """Dense ones inside; the first convolution, on the image, reads the plain layout anyway."""
    for i in network.all(*_CONVOLUTIONS):
        shape = network.weight(i)
        if shape and network.groups(i) == 1 and shape[1] < network.block and network.is_fed(i):
            yield (i,)


@rule(
    name="ragged-map",
    title="a Concat or pooling of maps that do not fill whole blocks",
    breaks=("layout",),
    x86="in the plain layout, with a reorder for each map and one after",
    arm="no matter",
    instead="channels in multiples of 16 (AVX-512), or at least of 8 (AVX2)",
    cost=Cost(0.11, 0.01),
)
def ragged(network: Network) -> Iterator[Match]:
    """A Concat along the channels needs whole blocks in each of its maps, a pooling in its one."""
    for i in network.inside("AveragePool", "Concat", "MaxPool"):
        counts = [network.channels(name) for name in network.nodes[i].input]
        along = network.op(i) != "Concat" or network.attribute(i, "axis", 0) == 1
        if along and any(count and count % network.block for count in counts):
            yield (i,)


@rule(
    name="grouped-convolution",
    title="a grouped convolution whose groups do not fill whole blocks",
    breaks=("layout",),
    x86="computed in the plain layout, with reorders around it",
    arm="a matrix product for each group, which is slow when groups are small",
    instead="depthwise (a group for each channel), dense, or groups of a multiple of 16 channels",
    cost=Cost(0.41, 0.25),
)
def grouped(network: Network) -> Iterator[Match]:
    """Neither dense nor depthwise."""
    for i in network.all(*_CONVOLUTIONS):
        shape, groups = network.weight(i), network.groups(i)
        if not shape or groups == 1 or (shape[1] == 1 and shape[0] == groups):
            continue
        if shape[1] % network.block or (shape[0] // groups) % network.block:
            yield (i,)


@rule(
    name="transposed-convolution",
    title="a transposed convolution",
    breaks=("fusion", "layout"),
    x86="computed in the plain layout, with reorders around it; takes no activation",
    arm="takes no activation",
    instead="nearest neighbour doubling, then a convolution",
    cost=Cost(0.18, 0.00),
)
def transposed(network: Network) -> Iterator[Match]:
    """``ConvTranspose``, with the activation after it."""
    for i in network.inside("ConvTranspose"):
        yield (i, *(j for j in network.readers(i) if j in network.declined))
