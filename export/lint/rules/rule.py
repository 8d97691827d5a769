"""What a rule is: a pattern to find, what it breaks, and what to write instead."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fusedet.export.lint.rules.network import Network

#: Positions of the nodes of one occurrence; the first one names it.
Match = tuple[int, ...]


@dataclass(frozen=True)
class Cost:
    """Time that one occurrence adds, in units of one dense 3x3 convolution, 64 to 64 channels, on the same map.

    A rule of thumb: the mean of two runs of ``python -m benchmarks.speed.layout_rules``, which differ by up to 0.05,
    of attention by 0.2; less than 0 is noise and stands as 0. ``blocked`` is at the highest optimisation level on
    x86, in the blocked layout; ``plain`` one level below, without it, which is the form that ARM runs, but measured
    on x86, too.
    """

    blocked: float
    plain: float


@dataclass(frozen=True)
class Rule:
    """One thing that keeps an activation out of its convolution, or convolutions out of the blocked layout.

    Attributes:
        name: short, for reports.
        breaks: ``fusion``, ``layout``, or both.
        x86: what ONNX Runtime does with it where convolutions are computed in blocks.
        arm: what it does where they are not: aarch64, unless built with the blocked kernels.
        instead: what to write.
        find: its occurrences in a network.
        cost: None where it depends on the map too much for a rule of thumb, or has not been measured.
    """

    name: str
    title: str
    breaks: tuple[str, ...]
    x86: str
    arm: str
    instead: str
    find: Callable[[Network], Iterable[Match]]
    cost: Cost | None = None


def rule(**words: Any) -> Callable[[Callable[[Network], Iterable[Match]]], Rule]:
    """Makes a :class:`Rule` of the function that finds its occurrences."""
    return lambda find: Rule(find=find, **words)
