"""Compares two books of benchmarks: how much longer, larger or worse everything is in the second one.

    python -m benchmarks.compare docs/benchmarks.json runs/book/results.json
    python -m benchmarks.compare before.json after.json --only latency fusion --fail-above 1.10

Of times the minimum is compared, which other programs disturb least, or with --medians the median. A factor above 1 is
worse, whichever way the figure is better. Exit codes: 0 done; 1 a factor is above --fail-above; 2 bad input.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.book.results import Record, Results, Row, better, read_results
from benchmarks.command import run_command
from benchmarks.pages import table
from fusedet.common.errors import InputError

#: Factors beyond 1 by less than this are not listed unless --all says so.
_NOTABLE = 1.05
#: From so many cores on that other programs kept busy, times mean little.
_BUSY = 0.5


@dataclass(frozen=True)
class Change:
    """One figure of one thing, in both books."""

    chapter: str
    what: str
    figure: str
    before: float
    after: float

    @property
    def factor(self) -> float:
        """Above 1 it became worse."""
        return self.after / self.before if better(self.figure) == "lower" else self.before / self.after


def compare(one: Results, other: Results, chapters: Sequence[str] = (), *, medians: bool = False) -> list[Change]:
    """All figures that both books have, in the order of the second; of ``chapters`` alone where some are named.

    Of times that were measured often the minimums are compared, or with ``medians`` the medians.

    Raises:
        InputError: a chapter is in neither, or nothing is in both.
    """
    unknown = [name for name in chapters if name not in one.chapters and name not in other.chapters]
    if unknown:
        known = ", ".join(dict.fromkeys([*one.chapters, *other.chapters])) or "no chapter at all"
        raise InputError(f"--only {unknown[0]}: in neither of the two files; there is {known}")
    found = [
        change
        for name, record in other.chapters.items()
        if name in one.chapters and (not chapters or name in chapters)
        for change in _changes(name, one.chapters[name], record, medians)
    ]
    if not found:
        raise InputError("the two files have no figure in common: were other chapters measured, or other networks?")
    return found


def _changes(chapter: str, before: Record, after: Record, medians: bool) -> Iterator[Change]:
    known = {_name(row): row for row in before.rows}
    for row in after.rows:
        base = known.get(_name(row))
        for figure, value in row.values.items() if base else ():
            old = base.values.get(figure) if base else None
            if better(figure) and _wanted(figure, medians) and old and value and old > 0 < value:
                yield Change(chapter, _name(row), figure, old, value)


def _name(row: Row) -> str:
    """``nano, size 320, threads 1``: words speak for themselves, numbers do not."""
    return ", ".join(text if isinstance(text, str) else f"{key} {text}" for key, text in row.what.items())


def _wanted(figure: str, medians: bool) -> bool:
    """Of minimum, median and p95 only one."""
    left_out = ("_min", "_p95") if medians else ("_median", "_p95")
    return not figure.endswith(left_out)


def differences(one: Results, other: Results) -> list[str]:
    """What else differs between the books, so that figures may differ for that reason: a line each."""
    lines = []
    for what, before, after in (
        ("machine", one.machine, other.machine),
        ("version of", one.versions, other.versions),
    ):
        for key in dict.fromkeys([*before, *after]):
            if before.get(key) != after.get(key):
                lines.append(f"DIFFERS: {what} {key}: {before.get(key, '-')} -> {after.get(key, '-')}")
    for name in (name for name in other.chapters if name in one.chapters):
        old, new = one.chapters[name].settings, other.chapters[name].settings
        for key in dict.fromkeys([*old, *new]):
            if old.get(key) != new.get(key):
                lines.append(f"DIFFERS: {name}: setting {key}: {old.get(key, '-')} -> {new.get(key, '-')}")
    for which, results in (("first", one), ("second", other)):
        if results.quick:
            lines.append(f"WARNING: the {which} file was made with --quick: its figures mean little")
        busy = [name for name, record in results.chapters.items() if (record.busy_elsewhere or 0) >= _BUSY]
        if busy:
            lines.append(f"WARNING: other programs ran while the {which} file was measured: {', '.join(busy)}")
    for name in dict.fromkeys([*one.chapters, *other.chapters]):
        if (name in one.chapters) != (name in other.chapters):
            lines.append(f"only in the {'first' if name in one.chapters else 'second'} file: {name}")
    return lines


def report(changes: Sequence[Change], least: float) -> str:
    """Figures that changed by ``least`` or more, and each chapter's mean."""
    shown = [one for one in changes if max(one.factor, 1 / one.factor) >= least]
    header = ["chapter", "what", "figure", "before", "after", "factor"]
    lines = [
        [one.chapter, one.what, one.figure, f"{one.before:.4g}", f"{one.after:.4g}", f"{one.factor:.2f}"]
        for one in shown
    ]
    parts = [table(header, lines, left=3)] if shown else [f"no figure changed by a factor of {least:g} or more"]
    groups: dict[str, list[float]] = {}
    for one in changes:
        groups.setdefault(one.chapter, []).append(one.factor)
    means = [
        [name, str(len(own)), f"{math.exp(statistics.fmean(map(math.log, own))):.3f}", f"{max(own):.2f}"]
        for name, own in groups.items()
    ]
    parts.append(table(["chapter", "figures", "mean factor", "worst"], means))
    return "\n\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--only", nargs="+", metavar="CHAPTER", default=[])
    parser.add_argument("--medians", action="store_true", help="compare medians of times, not minimums")
    parser.add_argument("--all", action="store_true", help=f"list also what changed by less than {_NOTABLE}")
    parser.add_argument("--fail-above", type=float, metavar="FACTOR", help="exit with 1 where something is worse")
    args = parser.parse_args(arguments)
    limit = args.fail_above
    if limit is not None and not (math.isfinite(limit) and limit > 0):
        raise InputError(f"--fail-above must be above 0, but got {limit:g}")
    one, other = read_results(args.before), read_results(args.after)
    changes = compare(one, other, args.only, medians=args.medians)
    print("\n".join([*differences(one, other), ""]) + report(changes, 1.0 if args.all else _NOTABLE))
    too_much = [change for change in changes if limit is not None and change.factor > limit]
    if too_much:
        worst = max(too_much, key=lambda change: change.factor)
        where = f"{worst.chapter}: {worst.what}: {worst.figure} {worst.factor:.2f}"
        print(f"\n{len(too_much)} of {len(changes)} figures are above {limit:g}, the worst: {where}")
    return int(bool(too_much))


if __name__ == "__main__":
    sys.exit(run_command("compare", main))
