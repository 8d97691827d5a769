"""What each activation costs in the same network."""

from pathlib import Path
from typing import get_args

from benchmarks.book.chapters.chapter import Chapter, milliseconds, ratio
from benchmarks.book.desk import Desk
from benchmarks.book.drawing import OURS, THEIRS, bars, figure, save
from benchmarks.book.results import Record, Results, Row
from benchmarks.book.timing import ratios, time_in_turns
from benchmarks.pages import table
from fusedet.model.config import ActivationName

_REFERENCE = "leaky_relu"
_PRESET = "nano"


def measure(desk: Desk) -> list[Row]:
    """Nano with each of the activations that a network may have, exported as far as it can be fused, in turn."""
    preset = _PRESET if _PRESET in desk.presets else next(iter(desk.presets))
    networks = {name: desk.network(preset, activation=name) for name in get_args(ActivationName)}
    times = time_in_turns({name: one.fused for name, one in networks.items()}, 1, desk.plan.rounds)
    return [
        Row(
            what={"model": preset, "activation": name},
            values={
                **values,
                **ratios(values, times[_REFERENCE]),
                "standing": float(networks[name].standing),
                "reorders": float(networks[name].reorders),
            },
        )
        for name, values in times.items()
    ]


def _sorted(record: Record) -> list[Row]:
    return sorted(record.rows, key=lambda row: row["ms_min"])


def tabulate(record: Record, results: Results) -> str:
    """A row for each, the quickest first."""
    lines = [
        [
            f"`{row.what['activation']}`",
            milliseconds(row, ".2f"),
            ratio(row),
            f"{row['standing']:.0f}",
            f"{row['reorders']:.0f}",
        ]
        for row in _sorted(record)
    ]
    header = ["`model.activation`", "ms", f"of {_REFERENCE}'s", "left standing", "reorders"]
    return table(header, lines)


def draw(record: Record, results: Results, path: Path) -> bool:
    """One thread."""
    rows = _sorted(record)
    made, (axes,) = figure(6.4, 0.8 + 0.28 * len(rows))
    colors = [OURS if row.what["activation"] == _REFERENCE else THEIRS for row in rows]
    names = [str(row.what["activation"]) for row in rows]
    bars(axes, names, [row["ms_min"] for row in rows], colors, "{:.2f}", [row["ms_median"] for row in rows])
    axes.set_xlabel(f"ms of {rows[0].what['model']}, one thread: minimum, stroke: median", fontsize=8)
    save(made, path)
    return True


CHAPTER = Chapter(
    "activation",
    "Milliseconds of one network with each activation",
    measure,
    tabulate,
    ("size", "rounds"),
    draw=draw,
)
