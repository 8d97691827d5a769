"""Plots of the activation study."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from benchmarks.activation.results import ActivationResult, Results, Run

#: What each plot shows, by its file's stem.
TITLES = {
    "leaky_relu_ap": "AP over the epochs of the training, by activation",
    "leaky_relu_dead": "Share of dead units over the epochs, by activation",
    "leaky_relu_layers": "Share of dead units in each layer at the end, by activation",
    "leaky_relu_latency": "AP over latency, by activation",
}
#: The leaky ones are blue, from a small slope to a large one; the others can be told from each other and from these.
_COLORS = {
    "leaky_relu 0.01": "#8cc5e3",
    "leaky_relu 0.1": "#1a6fb0",
    "leaky_relu 0.2": "#0b2f5c",
    "relu": "#d1352b",
    "prelu": "#8a4fb5",
    "elu": "#2f9e5b",
    "silu": "#e08a00",
    "hardswish": "#555555",
    "sigmoid": "#c95fb0",
    "tanh": "#8c5a2b",
}
#: Part of the best AP from which on an activation is shown in the close view.
_NEAR = 0.8
_OTHER_COLORS = ("#7f7f00", "#00a0a0", "#a0a0ff", "#ff9080")


def draw_all(results: Results, folder: Path) -> list[Path]:
    """Draws every plot that the results allow; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for stem, draw in _DRAWINGS.items():
        if draw is _latency and not any(result.latency for result in results.activations):
            continue
        figure = draw(results)
        FigureCanvasAgg(figure)
        paths.append(folder / f"{stem}.png")
        figure.savefig(paths[-1], dpi=120)
    return paths


def _ap(results: Results) -> Figure:
    """The whole training above; below the second half of those that come near the best, whose curves lie together."""
    figure, panels = _panels(results, rows=2)
    for data, (whole, half) in panels.items():
        _draw_curves(whole, results, data, lambda run: run.ap, "{:.3f}")
        _draw_curves(half, results, data, lambda run: run.ap, "{:.3f}", results.epochs // 2, _near(results, data))
        whole.set_ylabel("AP")
        half.set_ylabel("AP in the second half")
    return figure


def _near(results: Results, data: str) -> list[ActivationResult]:
    """Those whose best AP, averaged over the seeds, is a good part of the best one's."""
    means = [
        (result, np.mean([run.best_ap for run in result.on(data)])) for result in results.activations if result.on(data)
    ]
    best = max(mean for _, mean in means)
    return [result for result, mean in means if mean >= _NEAR * best]


def _dead(results: Results) -> Figure:
    figure, panels = _panels(results)
    for data, (axes,) in panels.items():
        _draw_curves(axes, results, data, lambda run: run.dead, "{:.1%}")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylabel("dead units")
    return figure


def _draw_curves(
    axes: Axes,
    results: Results,
    data: str,
    values: Callable[[Run], list[float]],
    form: str,
    first: int = 0,
    shown: Sequence[ActivationResult] | None = None,
) -> None:
    """For each activation the mean over seeds as a line, and from the least to the largest as a band.

    The legend tells the last means, the highest first, as the curves end.
    """
    ends = []
    for result in results.activations if shown is None else shown:
        series = [dict(zip(run.epochs, values(run), strict=True)) for run in result.on(data)]
        if not series:
            continue
        epochs = [epoch for epoch in sorted(set.intersection(*map(set, series))) if epoch >= first]
        curves = np.array([[one[epoch] for epoch in epochs] for one in series])
        color, mean = _color(results, result), curves.mean(0)
        label, marker = f"{result.name}  {form.format(mean[-1])}", "." if len(epochs) == 1 else None
        (line,) = axes.plot(epochs, mean, color=color, lw=1.8, marker=marker, label=label)
        axes.fill_between(epochs, curves.min(0), curves.max(0), color=color, alpha=0.12, lw=0)
        ends.append((float(mean[-1]), line))
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not first:
        axes.set_ylim(bottom=0)
    _legend(axes, [line for _, line in sorted(ends, key=lambda end: -end[0])])


def _latency(results: Results) -> Figure:
    """AP over milliseconds, with the standard deviation over seeds."""
    figure, panels = _panels(results)
    for data, (axes,) in panels.items():
        for result in results.activations:
            runs, latency = result.on(data), result.latency
            if not runs or latency is None:
                continue
            aps = [run.best_ap for run in runs]
            spread = np.std(aps, ddof=1) if len(aps) > 1 else 0.0
            place, label = (latency.ms_min, np.mean(aps)), f"{result.name}: {latency.ms_min:.2f} ms, {np.mean(aps):.3f}"
            axes.errorbar(
                *place, yerr=spread, color=_color(results, result), marker="o", ms=7, lw=1.5, capsize=3, label=label
            )
        axes.margins(x=0.1, y=0.15)
        axes.set_xlabel("ms for one image, one thread")
        axes.set_ylabel("AP without NMS")
        _legend(axes)
    return figure


def _layers(results: Results) -> Figure:
    """Layers by activations: the share of dead units at the end, averaged over seeds and data sets."""
    runs = [run for result in results.activations for run in result.runs]
    layers = list(dict.fromkeys(name for run in runs for name in run.dead_by_layer))  # in the network's order

    def share(result: ActivationResult, layer: str) -> float:
        return float(np.mean([run.dead_by_layer[layer] for run in result.runs if layer in run.dead_by_layer]))

    table = np.array([[share(result, layer) for result in results.activations] for layer in layers])
    figure = Figure(figsize=(3.6 + 0.72 * len(results.activations), 1.6 + 0.19 * len(layers)), layout="constrained")
    axes = figure.subplots()
    highest = max(0.1, float(table.max()))
    image = axes.imshow(table, cmap="magma_r", vmin=0, vmax=highest, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        if value >= 0.005:
            ink = "white" if value > 0.35 * highest else "black"
            axes.text(column, row, f"{value:.0%}", ha="center", va="center", fontsize=7, color=ink)
    axes.set_xticks(range(len(results.activations)), [result.name for result in results.activations], fontsize=8)
    axes.xaxis.tick_top()
    for tick in axes.get_xticklabels():
        tick.set(rotation=40, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(layers)), layers, fontsize=7.5)
    axes.tick_params(length=0)
    figure.colorbar(image, format=PercentFormatter(1.0, decimals=0), label="dead units", fraction=0.05, pad=0.02)
    return figure


def _panels(results: Results, rows: int = 1) -> tuple[Figure, dict[str, list[Axes]]]:
    """A column of ``rows`` panels for each data set."""
    figure = Figure(figsize=(7.5 * len(results.data), 4.2 * rows), layout="constrained")
    grid = figure.subplots(rows, len(results.data), squeeze=False)
    for axes in grid.flat:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes, data in zip(grid[0], results.data, strict=True):
        axes.set_title(data, fontsize=11)
    return figure, {data: list(column) for data, column in zip(results.data, grid.T, strict=True)}


def _color(results: Results, result: ActivationResult) -> str:
    unknown = [other.name for other in results.activations if other.name not in _COLORS]
    if result.name in _COLORS:
        return _COLORS[result.name]
    return _OTHER_COLORS[unknown.index(result.name) % len(_OTHER_COLORS)]


def _legend(axes: Axes, lines: Sequence[Line2D] | None = None) -> None:
    """Names beside the plot, in the order of ``lines`` where they are given."""
    axes.legend(handles=lines, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, fontsize=9)


#: In the order of the page.
_DRAWINGS: dict[str, Callable[[Results], Figure]] = {
    "leaky_relu_ap": _ap,
    "leaky_relu_dead": _dead,
    "leaky_relu_layers": _layers,
    "leaky_relu_latency": _latency,
}
