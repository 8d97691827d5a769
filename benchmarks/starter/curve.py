"""How the AP of the starter weights grew in their last round, over images seen and over hours of one core."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fusedet.train.run_folder import RunFolder

#: Rows of each preset: ``[images seen, hours, AP]``; hours may be null.
CURVES = Path(__file__).with_name("curves.json")
_COLORS = {"pico": "#c8553d", "nano": "#0b7a75", "small": "#3d5a98"}

Curve = list[tuple[int, float | None, float]]


def read_curves() -> dict[str, Curve]:
    """What is kept of earlier trainings."""
    curves: dict[str, Curve] = json.loads(CURVES.read_text(encoding="utf-8"))
    return curves


def curve_of(run: RunFolder, images: int) -> Curve:
    """The evaluated epochs of a training with so many ``images`` an epoch."""
    return [
        (int(row["epoch"]) * images, round(row["seconds"] / 3600, 2), round(row["ap"], 4))
        for row in run.read_metrics()
        if not math.isnan(row["ap"])
    ]


def draw_curves(curves: Mapping[str, Curve], path: Path) -> None:
    """Draws ``path``, a PNG: AP over images, and over hours where they are known."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    by_images, by_hours = figure.subplots(1, 2, sharey=True)
    for name, curve in curves.items():
        style = {"marker": "o", "markersize": 4, "color": _COLORS.get(name), "label": name}
        by_images.plot([images / 1000 for images, _, _ in curve], [ap for _, _, ap in curve], **style)
        timed = [(hours, ap) for _, hours, ap in curve if hours is not None]
        by_hours.plot(*zip(*timed, strict=True), **style)
    by_images.set_xlabel("thousand images seen in the last round")
    by_hours.set_xlabel("hours of one core")
    by_images.set_ylabel("AP50-95 on the validation images")
    for axes in (by_images, by_hours):
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
    by_images.legend(frameon=False)
    figure.savefig(path, dpi=110)
