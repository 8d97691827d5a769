"""What a rule is: a pattern to find, what it breaks, and what to write instead."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fusedet.export.lint.rules.network import Network

#: Positions of the nodes of one occurrence; the first one names it.
Match = tuple[int, ...]


@dataclass(frozen=True)
class Rule:
    """One thing that keeps an activation out of its convolution, or convolutions out of the blocked layout.

    Attributes:
        name: short, for reports and for looking up its cost.
        breaks: ``fusion``, ``layout``, or both.
        x86: what ONNX Runtime does with it where convolutions are computed in blocks.
        arm: what it does where they are not: aarch64, unless built with the blocked kernels.
        instead: what to write.
        find: its occurrences in a network.
    """

    name: str
    title: str
    breaks: tuple[str, ...]
    x86: str
    arm: str
    instead: str
    find: Callable[[Network], Iterable[Match]]


def rule(
    *, name: str, title: str, breaks: tuple[str, ...], x86: str, arm: str, instead: str
) -> Callable[[Callable[[Network], Iterable[Match]]], Rule]:
    """Makes a :class:`Rule` of the function that finds its occurrences."""
    return lambda find: Rule(name, title, breaks, x86, arm, instead, find)
