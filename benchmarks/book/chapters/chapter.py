"""What a chapter of the book is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.book.desk import Desk
from benchmarks.book.results import Record, Results, Row

#: From this part of the cores on that other programs kept busy, times by the clock of the wall are no good.
_BUSY = 0.15


@dataclass(frozen=True)
class Chapter:
    """One subject.

    ``measure`` gives rows, and puts what it has to leave out into ``desk.remarks``; ``table`` and ``draw`` show them.
    ``uses`` names the settings of a :class:`~benchmarks.book.desk.Plan` that its figures depend on, ``by_the_wall``
    says what other programs do to them, ``peers`` whether detectors of other projects take part.
    """

    name: str
    title: str
    measure: Callable[[Desk], list[Row]]
    table: Callable[[Record, Results], str]
    uses: Sequence[str]
    by_the_wall: str = ""
    peers: bool = False
    draw: Callable[[Record, Results, Path], bool] | None = None

    def settings(self, desk: Desk) -> dict[str, Any]:
        """All that the figures depend on beside machine and versions."""
        plan = {name: getattr(desk.plan, name) for name in self.uses}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plan.items()}


def is_disturbed(record: Record, results: Results) -> bool:
    """Whether other programs kept the machine too busy for times by the clock of the wall."""
    return (record.busy_elsewhere or 0.0) > _BUSY * int(results.machine["cores"] or 1)


def thread_counts(record: Record, results: Results) -> list[int]:
    """Numbers of threads whose figures are shown: on a busy machine those of one thread, which has its own clock."""
    counts = list(dict.fromkeys(int(row.what["threads"]) for row in record.rows))
    return counts[:1] if is_disturbed(record, results) and counts[0] == 1 else counts


def in_threads(count: int) -> str:
    """``1 thread``, ``2 threads``: for the head of a column."""
    return f"{count} thread{'' if count == 1 else 's'}"


def name_of(row: Row) -> str:
    """Its network for a table, ours in bold."""
    model = str(row.what["model"])
    return f"**{model}**" if row.notes["by"] == "fusedet" else model


def cell(value: float | None, form: str) -> str:
    """A figure for a table; a dash for none."""
    return "-" if value is None else format(value, form)


def milliseconds(row: Row | None, form: str = ".1f") -> str:
    """Minimum, and the median in brackets."""
    return "-" if row is None else f"{row['ms_min']:{form}} ({row['ms_median']:{form}})"


def ratio(row: Row | None) -> str:
    """Of the minimums, and of the medians in brackets."""
    return "-" if row is None else f"{row['ratio_min']:.2f} ({row['ratio_median']:.2f})"
