"""The rules of :mod:`fusedet.export.lint.lint`, each a small function that finds one thing in a network.

To add one, write a function with the decorator :func:`rule` beside those of its kind, put it into :data:`RULES`, and
measure what it costs with a case in ``benchmarks/speed/layout_rules.py``.
"""

from fusedet.export.lint.rules.activations import (
    activation_after_add,
    activation_elsewhere,
    hardswish,
    hardswish_in_parts,
    other_activation,
    prelu,
    shared_convolution,
    silu,
)
from fusedet.export.lint.rules.convolutions import (
    float16,
    grouped,
    quantised,
    ragged,
    thin,
    transposed,
    unblocked,
    uneven,
    weight_inputs,
)
from fusedet.export.lint.rules.network import Network
from fusedet.export.lint.rules.rule import Match, Rule, rule
from fusedet.export.lint.rules.structure import (
    arithmetic,
    attention,
    batchnorm,
    box_distribution,
    channel_shuffle,
    foldable_batchnorm,
    half_pixel_resize,
    split,
    squeeze_excite,
    sum_after_activation,
    transpose,
    view,
)

__all__ = ["RULES", "Match", "Network", "Rule", "rule"]

#: In the order in which they are asked. A node belongs to the first rule that finds it, so special ones stand before
#: general ones. Convolutions may have several faults; for reorders beside them the last one answers.
RULES: tuple[Rule, ...] = (
    weight_inputs,
    float16,
    quantised,
    foldable_batchnorm,
    batchnorm,
    silu,
    hardswish,
    hardswish_in_parts,
    prelu,
    squeeze_excite,
    attention,
    box_distribution,
    channel_shuffle,
    transposed,
    other_activation,
    activation_after_add,
    shared_convolution,
    activation_elsewhere,
    split,
    half_pixel_resize,
    transpose,
    view,
    arithmetic,
    sum_after_activation,
    uneven,
    unblocked,
    grouped,
    thin,
    ragged,
)
