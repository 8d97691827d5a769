"""Accuracy over latency, as an image: a panel for each data set and one for their mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.accuracy.report import MEAN, Row
from benchmarks.accuracy.trainings import PEERS
from benchmarks.book.drawing import OURS, THEIRS

NMS_FREE = "nms-free"


def draw_pareto(rows: Sequence[Row], path: Path, title: str) -> None:
    """Draws ``path``, a PNG.

    Filled marks are files whose output is final; hollow ones leave NMS to do, which is not in their time. A bar spans
    the seeds.
    """
    panels = list(dict.fromkeys(row.data for row in rows))
    figure = Figure(figsize=(1.6 + 3.6 * len(panels), 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, data in zip(grid, panels, strict=True):
        draw_panel(axes, [row for row in rows if row.data == data])
        axes.set_title("mean of the data sets" if data == MEAN else data, fontsize=10)
    grid[0].set_ylabel("AP50-95 on the validation images", fontsize=8)
    columns = 4 if len(panels) > 1 else 2
    figure.legend(handles=_legend(), loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
    figure.savefig(path, dpi=130)


def draw_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """One data set."""
    ours, theirs = [row for row in rows if not row.is_peer], [row for row in rows if row.is_peer]
    for row in rows:
        _draw_mark(axes, row)
    for model in {row.model for row in rows}:
        _draw_line(axes, [row for row in rows if row.model == model], ":", THEIRS if model in PEERS else OURS)
    _draw_line(axes, [row for row in ours if row.head == NMS_FREE], "-", OURS)
    axes.margins(y=0.12)
    axes.set_xlim(0, 1.32 * max(row.ms_min for row in rows))
    for name, row in _lowest(ours).items():
        place = (row.ms_min, row.mean("ap"))
        axes.annotate(name, place, (6, -9), textcoords="offset points", fontsize=8, color=OURS)
    draw_names_at_the_right(axes, {name: (row.ms_min, row.mean("ap")) for name, row in _lowest(theirs).items()})
    axes.set_xlabel("ms, one thread", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)


def _draw_line(axes: Axes, rows: Sequence[Row], style: str, color: str) -> None:
    """From mark to mark, the quickest first."""
    points = sorted((row.ms_min, row.mean("ap")) for row in rows)
    axes.plot([x for x, _ in points], [y for _, y in points], style, color=color, linewidth=1, alpha=0.6, zorder=1)


def _lowest(rows: Sequence[Row]) -> dict[str, Row]:
    """Of each model the mark with the lowest AP, the lowest of all first."""
    lowest: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row.mean("ap")):
        lowest.setdefault(row.model, row)
    return lowest


def draw_names_at_the_right(axes: Axes, marks: Mapping[str, tuple[float, float]]) -> None:
    """Networks of like speed would write over each other: their names stand in a column, far enough apart to read.

    ``marks`` are ``(x, y)`` by name, the lowest first; ``axes`` has its limits as they will stay.
    """
    bottom, top = axes.get_ylim()
    apart, y = (top - bottom) * 0.055, bottom
    for name, place in marks.items():
        y = max(place[1], y + apart)
        axes.annotate(
            name,
            place,
            (0.985 * axes.get_xlim()[1], y),
            ha="right",
            va="center",
            fontsize=8,
            color=THEIRS,
            arrowprops={"arrowstyle": "-", "color": THEIRS, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 4},
        )


def _draw_mark(axes: Axes, row: Row) -> None:
    values, y = row.values("ap"), row.mean("ap")
    color = THEIRS if row.is_peer else OURS
    face = color if row.head == NMS_FREE else "white"
    axes.errorbar(
        row.ms_min,
        y,
        yerr=[[y - min(values)], [max(values) - y]] if len(values) > 1 else None,
        fmt="s" if row.is_peer else "o",
        markersize=6,
        markerfacecolor=face,
        color=color,
        elinewidth=1,
        capsize=2,
    )


def _legend() -> list[Line2D]:
    def mark(label: str, color: str, marker: str, face: str) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, color=color, markerfacecolor=face, label=label)

    return [
        mark("fusedet, NMS-free", OURS, "o", OURS),
        mark("fusedet, needs NMS (not timed)", OURS, "o", "white"),
        mark("Ultralytics, NMS-free", THEIRS, "s", THEIRS),
        mark("Ultralytics, needs NMS (not timed)", THEIRS, "s", "white"),
    ]
