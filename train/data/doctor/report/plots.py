"""The statistics of the sets: drawn as one image, or each as a chart of a page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fusedet.train.charts import COLORS, heat_map, new_axes, to_svg
from fusedet.train.data.doctor.checks.balance import SMALL_PX
from fusedet.train.data.doctor.statistics import Statistics

_BLUE, _ORANGE, _GREY = COLORS["c0"], COLORS["c1"], COLORS["quiet"]
_MOST_CLASSES = 25
#: Bars are not thicker than if there were so many.
_LEAST_ROWS = 8


def draw_statistics(statistics: Sequence[Statistics], input_size: tuple[int, int], path: Path) -> None:
    """Writes a PNG with a row for each set: classes, sizes, places, proportions, objects in an image.

    ``input_size`` is the ``(height, width)`` of the network's input in pixels.
    """
    figure = Figure(figsize=(19, 3.9 * len(statistics)), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.15)  # type: ignore[union-attr, call-arg]
    axes = figure.subplots(len(statistics), 5, squeeze=False, gridspec_kw={"width_ratios": [1.35, 1, 0.8, 1, 1]})
    for row, figures in zip(axes, statistics, strict=True):
        _classes(row[0], figures)
        _sizes(row[1], figures, input_size)
        _places(row[2], figures)
        _ratios(row[3], figures)
        _counts(row[4], figures)
        for ax in (*row[:2], *row[3:]):
            ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, format="png")


def statistics_charts(figures: Statistics, input_size: tuple[int, int]) -> list[tuple[str, Markup]]:
    """Title and SVG of each chart of one set: sizes, proportions, objects in an image, places."""
    sizes, ratios, counts = (new_axes("", "boxes"), new_axes("", "boxes"), new_axes())
    _sizes(sizes, figures, input_size)
    _ratios(ratios, figures)
    _counts(counts, figures)
    return [
        ("Sizes of the boxes", to_svg(sizes, "sizes of the boxes")),
        ("Proportions of the boxes", to_svg(ratios, "proportions of the boxes")),
        ("Boxes in an image", to_svg(counts, "boxes in an image")),
        ("Where the centres of the boxes lie", heat_map(figures.places, "x in the image", "y in the image")),
    ]


def _classes(ax: Axes, figures: Statistics) -> None:
    shown = list(figures.per_class.items())[:_MOST_CLASSES]
    ax.barh(range(len(shown)), [count for _, count in shown], color=_BLUE)
    ax.set_yticks(
        range(len(shown)), [name[:18] for name, _ in shown], fontsize=7 if len(shown) > 12 else 9, parse_math=False
    )
    for i, (_, count) in enumerate(shown):
        ax.text(count, i, f" {count:,}", va="center", fontsize=7, color=_GREY)
    ax.set_ylim(max(len(shown), _LEAST_ROWS) - 0.4, -0.6)
    ax.margins(x=0.12)
    more = len(figures.per_class) - len(shown)
    ax.set_title(f"{figures.split}: {figures.images:,} images, {figures.boxes:,} boxes", loc="left", weight="bold")
    ax.set_xlabel(f"boxes of each class{f', {more} rarer ones left out' if more else ''}")


def _sizes(ax: Axes, figures: Statistics, input_size: tuple[int, int]) -> None:
    edges = np.geomspace(1, 1024, 41).tolist()
    sides = figures.letterboxed.clip(edges[0], edges[-1])
    small = sides < SMALL_PX
    ax.hist([sides[small], sides[~small]], edges, color=[_ORANGE, _BLUE], stacked=True)
    if small.any():
        ax.set_title(f"under {SMALL_PX} px: {small.mean():.1%}", loc="left", fontsize=9, color=_ORANGE)
    ax.set_xscale("log", base=2)
    ax.set_xticks([1, 4, 16, 64, 256, 1024], ["1", "4", "16", "64", "256", "1024"])
    ax.set_xlabel(f"shorter side of the boxes at {input_size[1]} x {input_size[0]}, px")


def _places(ax: Axes, figures: Statistics) -> None:
    ax.imshow(np.sqrt(figures.places), cmap="Blues", extent=(0, 1, 1, 0), interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel("where the centres of the boxes lie")


def _ratios(ax: Axes, figures: Statistics) -> None:
    ratios = figures.boxes_wh[:, 0] / np.maximum(figures.boxes_wh[:, 1], 1e-9)
    ax.hist(ratios.clip(1 / 16, 16), np.geomspace(1 / 16, 16, 33).tolist(), color=_BLUE)
    ax.axvline(1, color=_GREY, linewidth=0.8)
    ax.set_xscale("log", base=2)
    ax.set_xticks([1 / 8, 1 / 2, 1, 2, 8], ["1:8", "1:2", "1", "2:1", "8:1"])
    ax.set_xlabel("width over height of the boxes")


def _counts(ax: Axes, figures: Statistics) -> None:
    top = int(np.percentile(figures.per_image, 99)) + 1 if figures.images else 1
    ax.hist(figures.per_image.clip(0, top), np.arange(-0.5, top + 1).tolist(), color=_BLUE)
    ax.set_xlabel("boxes in an image")
    ax.set_ylabel("images")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
