"""What the trials of a search found: as a table, an image and the config of the best."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fusedet.train.tune.space import Axis, Choice


@dataclass(frozen=True)
class Trial:
    """One training of a search."""

    number: int  # counted from 0
    #: ``done``; ``ended early``, because others were better at that time or its losses were not finite; or ``left``, as
    #: an interrupted one is when another takes its place
    state: Literal["done", "ended early", "left"]
    ap: float  # of its best epoch, in 0..1; NaN where none was evaluated
    epochs: int  # that were trained
    settings: Mapping[str, str]  # key -> value
    run: Path


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The one with the best AP, which a trial that ended early may have as well."""
    evaluated = [trial for trial in trials if not math.isnan(trial.ap)]
    return max(evaluated, key=lambda trial: trial.ap) if evaluated else None


def table(trials: Sequence[Trial]) -> str:
    """A CSV file's content."""
    file = io.StringIO()
    keys = list(trials[0].settings) if trials else []
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["trial", "state", "ap", "epochs", *keys, "run"])
    for trial in trials:
        values = [trial.settings[key] for key in keys]
        writer.writerow([trial.number, trial.state, f"{trial.ap:.4f}", trial.epochs, *values, trial.run])
    return file.getvalue()


def draw_trials(trials: Sequence[Trial], space: Mapping[str, Axis], path: Path) -> None:
    """AP over the trials, and over each setting."""
    evaluated = [trial for trial in trials if not math.isnan(trial.ap)]
    if not evaluated:
        return
    columns = min(3, len(space) + 1)
    rows = math.ceil((len(space) + 1) / columns)
    figure = Figure(figsize=(4.2 * columns, 3.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    first, *others = figure.subplots(rows, columns, squeeze=False).ravel()
    _draw(first, evaluated, [trial.number for trial in evaluated])
    best = [max(trial.ap for trial in evaluated[: i + 1]) for i in range(len(evaluated))]
    first.step([trial.number for trial in evaluated], best, where="post", color="tab:orange", label="best so far")
    first.set_xlabel("trial")
    first.xaxis.get_major_locator().set_params(integer=True)
    first.set_ylabel("AP50-95")
    first.legend(fontsize=8)
    for axes, (key, axis) in zip(others, space.items(), strict=False):
        texts = [trial.settings[key] for trial in evaluated]
        if isinstance(axis, Choice):
            _draw(axes, evaluated, [axis.values.index(text) for text in texts])
            axes.set_xticks(range(len(axis.values)), axis.values)
        else:
            _draw(axes, evaluated, [float(text) for text in texts])
            if axis.log:
                axes.set_xscale("log")
                ticks = [axis.low, math.sqrt(axis.low * axis.high), axis.high]
                axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
                axes.set_xticks([], minor=True)
        axes.set_xlabel(key)
    for axes in others[len(space) :]:
        axes.set_visible(False)
    figure.savefig(path, dpi=110, format="png")


def _draw(axes: Axes, trials: Sequence[Trial], places: Sequence[float]) -> None:
    for state, color, label in (("ended early", "silver", "ended early"), ("done", "tab:blue", "done")):
        points = [(x, trial.ap) for x, trial in zip(places, trials, strict=True) if trial.state == state]
        if points:
            axes.plot(*zip(*points, strict=True), "o", color=color, label=label)
    axes.grid(alpha=0.3)
