"""The rules of :mod:`fusedet.export.lint.lint`, each a small function that finds one thing in a network.

To add one, write a function with the decorator :func:`rule` beside those of its kind, put it into :data:`RULES`, and
measure what it costs with a case in ``benchmarks/speed/layout_rules.py``.
"""

from fusedet.export.lint.rules import activations, convolutions, structure
from fusedet.export.lint.rules.network import Network
from fusedet.export.lint.rules.rule import Match, Rule, rule

__all__ = ["RULES", "Match", "Network", "Rule", "rule"]

#: In the order in which they are asked. A node belongs to the first rule that finds it, so special ones stand before
#: general ones. Convolutions may have several faults; for reorders beside them the last one answers.
RULES: tuple[Rule, ...] = (
    convolutions.weight_inputs,
    convolutions.float16,
    convolutions.quantised,
    structure.foldable_batchnorm,
    structure.batchnorm,
    activations.silu,
    activations.hardswish,
    activations.hardswish_in_parts,
    activations.prelu,
    structure.squeeze_excite,
    structure.attention,
    structure.box_distribution,
    structure.channel_shuffle,
    convolutions.transposed,
    activations.other_activation,
    activations.activation_after_add,
    activations.shared_convolution,
    activations.activation_elsewhere,
    structure.split,
    structure.half_pixel_resize,
    structure.transpose,
    structure.view,
    structure.arithmetic,
    structure.sum_after_activation,
    convolutions.uneven,
    convolutions.unblocked,
    convolutions.grouped,
    convolutions.thin,
    convolutions.ragged,
)
