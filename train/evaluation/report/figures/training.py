"""How the training went: losses, accuracy, learning rate and speed over the epochs."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from fusedet.train.charts import Curve, color, line_chart

_ACCURACY = {"ap50": "AP50", "ap": "AP50-95", "ap75": "AP75"}
_LOSSES = {"cls": "classes", "box": "boxes", "l1": "distances (L1)", "one_to_one": "one-to-one branch"}
_SIZES = {"ap_large": "large", "ap_medium": "medium", "ap_small": "small"}

Rows = Sequence[Mapping[str, float]]


class Chart(NamedTuple):
    """A chart with its title; ``legend`` has names and colours, ``caption`` what there is to say of it."""

    title: str
    svg: Markup
    legend: Sequence[tuple[str, str]] = ()
    caption: str = ""


def training_charts(rows: Rows, best_epoch: int) -> tuple[list[Chart], list[Chart]]:
    """Large charts and small ones; none before the first epoch is done."""
    mark = (float(best_epoch), f"best: epoch {best_epoch}") if best_epoch else None
    whole = (0.0, 1.0)
    large = [
        *_chart("Accuracy on the validation images", "average precision", rows, _ACCURACY, mark, whole),
        *_chart("Training losses", "loss", rows, _LOSSES),
    ]
    small = [
        *_chart("AP50-95 by size of object", "AP50-95", rows, _SIZES, mark, whole),
        *_chart("Learning rate", "learning rate", rows, {"lr": "learning rate"}),
        *_chart("Training speed", "images per second", rows, {"images_per_second": "images per second"}),
        *_chart("Data-loading time", "part of the time", rows, {"waiting": "waits for data"}, y_range=whole),
    ]
    return large, small


def _chart(
    title: str,
    y_title: str,
    rows: Rows,
    keys: Mapping[str, str],
    mark: tuple[float, str] | None = None,
    y_range: tuple[float, float] | None = None,
) -> list[Chart]:
    curves = [epoch_curve(rows, key, name, color(i)) for i, (key, name) in enumerate(keys.items())]
    curves = [curve for curve in curves if len(curve.x)]
    if not curves:
        return []
    last = float(rows[-1]["epoch"])
    svg = line_chart(curves[::-1], "epoch", y_title, (min(1.0, last), max(last, 2.0)), y_range, mark, whole_x=True)
    return [Chart(title, svg, [(curve.name, curve.color) for curve in curves] if len(keys) > 1 else ())]


def epoch_curve(rows: Rows, key: str, name: str, paint: str) -> Curve:
    """One figure over the epochs; those that lack it are passed over."""
    points = [(row["epoch"], row[key]) for row in rows if not math.isnan(row.get(key, math.nan))]
    return Curve(name, [x for x, _ in points], [y for _, y in points], paint)
