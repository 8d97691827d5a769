"""Training curves."""

from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_PARTS = ("cls", "box", "l1")


def draw_curves(rows: list[dict[str, float]], path: Path) -> None:
    """Writes a PNG of loss, accuracy and learning rate over the epochs; figures that an epoch lacks are NaN."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    loss, accuracy, rate = figure.subplots(1, 3)
    for name in _PARTS:
        _plot(loss, rows, name, name)
    _plot(loss, rows, "one_to_one", "one-to-one", style=":")
    _finish(loss, "loss", legend="upper right")
    _plot(accuracy, rows, "ap50", "AP50")
    _plot(accuracy, rows, "ap", "AP50-95")
    accuracy.set_ylim(0, 1)
    _finish(accuracy, "validation accuracy", legend="upper left")
    _plot(rate, rows, "lr", "learning rate")
    _finish(rate, "learning rate")
    figure.savefig(path, dpi=110, format="png")


def _plot(axes: Axes, rows: list[dict[str, float]], key: str, label: str, style: str = "-") -> None:
    points = [(row["epoch"], row[key]) for row in rows if row.get(key) == row.get(key) and key in row]
    if points:
        axes.plot(*zip(*points, strict=True), style, label=label, marker="." if len(points) == 1 else None)


def _finish(axes: Axes, title: str, legend: Literal["upper left", "upper right"] | None = None) -> None:
    """Title, axis and, at ``legend``, where curves that get better do not come, the legend."""
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    if legend and axes.get_legend_handles_labels()[0]:  # a validation set without objects has no accuracy to draw
        axes.legend(loc=legend, fontsize=8)
