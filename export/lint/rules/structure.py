"""Rules about what stands between convolutions besides activations."""

from collections.abc import Iterator

from fusedet.export.lint.rules.network import Network
from fusedet.export.lint.rules.rule import Cost, Match, rule

_VIEWS = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
_SPLITS = ("Gather", "Slice", "Split")
#: What attention is made of besides convolutions.
_ATTENTION = frozenset({*_VIEWS, *_SPLITS, "Div", "Einsum", "Gemm", "MatMul", "Mul", "Softmax", "Transpose"})


@rule(
    name="attention",
    title="attention: matrix products between the points of a map",
    breaks=("layout",),
    x86="everything in it in the plain layout, with reorders around it",
    arm="views and transpositions are copies",
    instead="another depthwise block at stride 32, or a deeper neck; if it has to stay, at the smallest map only",
    cost=Cost(0.84, 0.38),
)
def attention(network: Network) -> Iterator[Match]:
    """A ``Softmax`` of a ``MatMul`` with all that hangs on it, up to the convolutions around."""
    for found in _around_softmax(network, _ATTENTION):
        if any(network.op(i) in ("MatMul", "Einsum") for i in found):
            yield found


@rule(
    name="box-distribution",
    title="a distribution for each side of a box (DFL) that ends in a convolution",
    breaks=("layout",),
    x86="a softmax over all points and views of them, with reorders around the convolution",
    arm="a softmax over all points, and transpositions of them",
    instead="one number for each side; or a matrix product in the place of that convolution",
)
def box_distribution(network: Network) -> Iterator[Match]:
    """A ``Softmax`` without ``MatMul``, and the views and Concat of the maps that it takes."""
    for found in _around_softmax(network, _ATTENTION | {"Concat"}):
        if not any(network.op(i) in ("MatMul", "Einsum") for i in found):
            yield found


@rule(
    name="squeeze-excite",
    title="squeeze-and-excite: channels scaled by a map's mean",
    breaks=("layout",),
    x86="the product in the plain layout, with reorders around it, and small convolutions that wait for the whole map",
    arm="a pass over the whole map for the mean and another for the product",
    instead="more channels at the same cost",
    cost=Cost(0.09, 0.06),
)
def squeeze_excite(network: Network) -> Iterator[Match]:
    """A ``Mul`` of a map by what a few steps make of its own global mean."""
    for i in network.inside("GlobalAveragePool", "ReduceMean"):
        found, last = [i], i
        for _ in range(8):
            readers = network.readers(last)
            if len(readers) != 1:
                break
            last = readers[0]
            found.append(last)
            if network.op(last) == "Mul" and network.source(i) in network.sources(last):
                yield (last, *found[:-1])
                break


@rule(
    name="channel-shuffle",
    title="channel shuffle: Reshape, Transpose, Reshape",
    breaks=("layout",),
    x86="in the plain layout, with a reorder before and after, and a copy",
    arm="a copy of the whole map",
    instead="1x1 convolutions, which mix channels by themselves",
    cost=Cost(0.08, 0.04),
)
def channel_shuffle(network: Network) -> Iterator[Match]:
    """As in ShuffleNet."""
    for i in network.inside("Transpose"):
        before, after = network.source(i), network.readers(i)
        if before is not None and network.op(before) == "Reshape" and [network.op(j) for j in after] == ["Reshape"]:
            yield (i, before, after[0])


@rule(
    name="split",
    title="a part of the channels: Split, Slice, Gather",
    breaks=("layout",),
    x86="in the plain layout, and so is every sum and Concat that reads its parts: reorders around all of them",
    arm="a copy",
    instead="a 1x1 convolution for each part, instead of one that is cut",
    cost=Cost(0.10, 0.00),
)
def split(network: Network) -> Iterator[Match]:
    """``chunk`` and the like, as in C2f, C3k2 and ShuffleNet. Several of one map are one occurrence."""
    groups: dict[str, list[int]] = {}
    for i in network.inside(*_SPLITS):
        groups.setdefault(network.nodes[i].input[0], []).append(i)
    return (tuple(group) for group in groups.values())


@rule(
    name="half-pixel-resize",
    title="a Resize that is not in blocks",
    breaks=("layout",),
    x86="in the plain layout, with a reorder before and after",
    arm="slower than the other kinds",
    instead="nearest neighbour by a whole factor, coordinate_transformation_mode asymmetric, nearest_mode floor",
    cost=Cost(0.29, 0.16),
)
def half_pixel_resize(network: Network) -> Iterator[Match]:
    """Any but nearest with ``asymmetric`` and ``floor``, and linear."""
    for i in network.inside("Resize"):
        mode = network.attribute(i, "mode", "nearest")
        mapping = network.attribute(i, "coordinate_transformation_mode", "half_pixel")
        rounding = network.attribute(i, "nearest_mode", "round_prefer_floor")
        nearest = (mode, mapping, rounding) == ("nearest", "asymmetric", "floor")
        linear = mode == "linear" and mapping in ("asymmetric", "align_corners", "half_pixel")
        if not nearest and not linear:
            yield (i,)


@rule(
    name="foldable-batchnorm",
    title="BatchNormalization directly after a convolution",
    breaks=("fusion",),
    x86="folded at each start; in the file it keeps the activation out of the convolution",
    arm="folded at each start; in the file it keeps the activation out of the convolution",
    instead="nothing: `fusedet fuse` folds it into the file; or export the network in eval mode",
    cost=Cost(0.02, 0.01),
)
def foldable_batchnorm(network: Network) -> Iterator[Match]:
    """What :func:`fusedet.export.fold_batchnorms` takes away."""
    for i in network.all("BatchNormalization"):
        source = network.source(i)
        if source is not None and network.op(source) == "Conv" and len(network.readers(source)) == 1:
            activations = (j for j in network.readers(i) if j in network.declined)
            yield (i, *activations)


@rule(
    name="batchnorm",
    title="BatchNormalization that no convolution can take in",
    breaks=("fusion", "layout"),
    x86="a node of its own, and so is the activation after it",
    arm="a node of its own, and so is the activation after it",
    instead="the norm directly after the convolution, where it disappears",
    cost=Cost(0.13, 0.05),
)
def batchnorm(network: Network) -> Iterator[Match]:
    """As in pre-activation networks: after a sum or a Concat."""
    for i in network.inside("BatchNormalization"):
        yield (i, *(j for j in network.readers(i) if j in network.declined))


@rule(
    name="sum-after-activation",
    title="a sum of activations",
    breaks=("fusion",),
    x86="the sum is a node of its own, in the blocked layout; onto a linear convolution it would cost nothing",
    arm="the sum is a node of its own; onto a linear convolution it would cost nothing",
    instead="no activation after the last convolution of a residual branch: the sum becomes its fourth input",
    cost=Cost(0.09, 0.02),
)
def sum_after_activation(network: Network) -> Iterator[Match]:
    """An ``Add`` of an activation in which neither side is a convolution of its own without one."""
    for i in network.inside("Add"):
        sides = network.sources(i)
        own = [j for j in sides if network.op(j) == "Conv" and len(network.readers(j)) == 1]
        if len(sides) == 2 and not own and any(_is_activation(network, j) for j in sides):
            yield (i,)


@rule(
    name="arithmetic",
    title="arithmetic between convolutions other than sums of maps",
    breaks=("layout",),
    x86="in the plain layout, with reorders around it",
    arm="a pass over the whole map for each node",
    instead="numbers multiplied into the weights of the next convolution; sums instead of products",
    cost=Cost(0.08, 0.03),
)
def arithmetic(network: Network) -> Iterator[Match]:
    """Products, differences, and sums with a constant, such as a learned scale after an activation."""
    for i in network.inside("Add", "Div", "Mul", "Pow", "Sub"):
        if network.op(i) != "Add" or any(network.is_constant(name) for name in network.nodes[i].input):
            yield (i,)


@rule(
    name="transpose",
    title="a transposition between convolutions",
    breaks=("layout",),
    x86="in the plain layout, with a reorder before and after, and a copy",
    arm="a copy of the whole map",
    instead="channels in the second place throughout; norms over channels as BatchNorm, which folds",
    cost=Cost(0.16, 0.14),
)
def transpose(network: Network) -> Iterator[Match]:
    """``Transpose``, as in ConvNeXt around a LayerNorm, or left over by a converter from another layout."""
    return ((i,) for i in network.inside("Transpose"))


@rule(
    name="view",
    title="a change of shape between convolutions",
    breaks=("layout",),
    x86="in the plain layout, with a reorder before and after",
    arm="next to nothing, where nothing is moved",
    instead="maps of four dimensions throughout",
    cost=Cost(0.05, 0.01),
)
def view(network: Network) -> Iterator[Match]:
    """``Reshape`` and relatives."""
    return ((i,) for i in network.inside(*_VIEWS))


def _around_softmax(network: Network, ops: frozenset[str]) -> Iterator[Match]:
    """Each Softmax between convolutions, with the nodes that are connected with it by nothing but ``ops``."""
    seen: set[int] = set()
    for start in network.inside("Softmax"):
        if start in seen:
            continue
        found, todo = [start], [start]
        while todo:
            i = todo.pop()
            for j in (*network.sources(i), *network.readers(i)):
                if j not in found and network.op(j) in ops and network.is_inside(j):
                    found.append(j)
                    todo.append(j)
        seen.update(found)
        yield tuple(found)


def _is_activation(network: Network, i: int) -> bool:
    """Whether node ``i`` gives an activation's output, alone, fused, or as the product of a SiLU or HardSwish."""
    op = network.op(i)
    gated = op == "Mul" and any(network.op(j) in ("Sigmoid", "HardSigmoid") for j in network.sources(i))
    return gated or op in ("FusedConv", "LeakyRelu", "Relu", "Clip", "PRelu", "HardSwish", "QuickGelu", "Swish")
