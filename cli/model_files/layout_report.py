"""What ``fusedet fuse`` and ``fusedet lint`` have in common: their options, and how findings and times are told."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.common.errors import InputError

if TYPE_CHECKING:
    from fusedet.export import Finding, Latency, TimeShares

#: Node names that are listed; the rest is counted.
MOST_NAMES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that both commands have."""
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="[NAME=]1x3x320x320",
        help="shape of an input that the file leaves open; repeatable",
    )
    parser.add_argument(
        "--measure", action="store_true", help="also measure: where the time goes, plain against fused, each level"
    )
    parser.add_argument("--rounds", type=int, default=30, metavar="N", help="runs of each measurement (30)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of the measurement (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well, for a machine")
    parser.add_argument("--force", action="store_true", help="replace files that are already there")


def parse_shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """``--shape`` as shapes by input; the name of a file's only input may be left out.

    Raises:
        InputError: a text is no shape.
    """
    shapes = {}
    for text in texts:
        name, _, sides = text.rpartition("=")
        try:
            shapes[name] = tuple(int(side) for side in sides.split("x"))
        except ValueError as error:
            raise InputError(f"--shape {text}: expected numbers as in 1x3x320x320 or NAME=1x3x320x320") from error
    return shapes


def finding_lines(finding: "Finding", blocked: bool) -> list[str]:
    """One finding in full; ``blocked`` where this machine computes convolutions in blocks."""
    shown = ", ".join(finding.nodes[:MOST_NAMES]) + (", ..." if len(finding.nodes) > MOST_NAMES else "")
    rows = [
        ("nodes", shown),
        ("x86", finding.x86),
        ("ARM", finding.arm),
        ("cost", _cost(finding, blocked)),
        ("instead", finding.instead),
    ]
    title = f"{finding.rule}: {finding.times} x {finding.title} (breaks {' and '.join(finding.breaks)})"
    return [title, *(f"  {name:<8} {text}" for name, text in rows)]


def _cost(finding: "Finding", blocked: bool) -> str:
    """What is known of it: counted and measured here, and the rule of thumb."""
    parts = []
    if finding.reorders is not None and blocked:
        parts.append(f"{finding.reorders} reorders here")
    if finding.share is not None:
        parts.append(f"{finding.share:.1%} of the time here")
    if finding.cost is not None:
        blocks, none = (f"{part:.0%}" for part in (finding.cost.blocked, finding.cost.plain))
        parts.append(f"rule of thumb: each one takes {blocks} of a 3x3 convolution in blocks, {none} without blocks")
    return "; ".join(parts) or "not measured"


def share_line(shares: "TimeShares") -> str:
    """Where the time of one run goes."""
    rest = 1 - shares.convolutions - shares.reorders
    return (
        f"of {shares.run_ms:.1f} ms: convolutions {shares.convolutions:.1%}, reorders {shares.reorders:.1%}, "
        f"everything else {rest:.1%}"
    )


def latency_lines(latencies: Sequence["Latency"]) -> list[str]:
    """A table of plain and fused, at each level."""
    lines = [f"{'level':<9} {'model':<6} {'ms min':>8} {'median':>8} {'load ms':>8}"]
    lines += [
        f"{one.level:<9} {one.model:<6} {one.ms_min:8.2f} {one.ms_median:8.2f} {one.load_ms:8.1f}" for one in latencies
    ]
    return lines
