"""Accuracy over latency, as a picture: a panel for each data set and one for their mean."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.accuracy_report import Row

OURS, THEIRS = "#0b7a75", "#c8553d"
NMS_FREE = "nms-free"


def draw_pareto(rows: Sequence[Row], path: Path, title: str) -> None:
    """Draws ``path``, a PNG.

    Filled marks are files whose output is final; hollow ones leave NMS to do, which is not in their time. A bar spans
    the seeds.
    """
    panels = list(dict.fromkeys(row.data for row in rows))
    figure = Figure(figsize=(1 + 3.4 * len(panels), 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"AP50-95 on the validation images over latency, {title}", fontsize=11)
    for axes, data in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw_panel(axes, [row for row in rows if row.data == data])
        axes.set_title(data, fontsize=10)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.savefig(path, dpi=130)


def draw_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """One data set."""
    for color, group in ((OURS, [r for r in rows if not r.is_peer]), (THEIRS, [r for r in rows if r.is_peer])):
        for row in group:
            _draw_mark(axes, row, color)
        for model in {row.model for row in group}:
            _draw_label(axes, [row for row in group if row.model == model], color)
    ours = sorted((row.ms_min, row.mean("ap")) for row in rows if not row.is_peer and row.head == NMS_FREE)
    axes.plot([x for x, _ in ours], [y for _, y in ours], color=OURS, linewidth=1, alpha=0.6, zorder=1)
    axes.set_xlim(left=0)
    axes.margins(x=0.18, y=0.12)
    axes.set_xlabel("ms, one thread", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)


def _draw_mark(axes: Axes, row: Row, color: str) -> None:
    values, y = row.values("ap"), row.mean("ap")
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


def _draw_label(axes: Axes, rows: Sequence[Row], color: str) -> None:
    """The model's name, below the lowest of its marks."""
    lowest = min(rows, key=lambda row: row.mean("ap"))
    bottom = min(lowest.values("ap"))
    axes.annotate(
        lowest.model,
        (lowest.ms_min, bottom),
        xytext=(0, -7),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=8,
        color=color,
    )


def _legend() -> list[Line2D]:
    def mark(label: str, color: str, marker: str, face: str) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, color=color, markerfacecolor=face, label=label)

    return [
        mark("fusedet", OURS, "o", OURS),
        mark("fusedet, NMS branch", OURS, "o", "white"),
        mark("Ultralytics, NMS-free", THEIRS, "s", THEIRS),
        mark("Ultralytics, needs NMS (not timed)", THEIRS, "s", "white"),
    ]
