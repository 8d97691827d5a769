"""How the training went: losses, accuracy, learning rate and speed over the epochs."""

import math
from collections.abc import Mapping, Sequence

from fusedet.common.html import figure, grid, legend
from fusedet.train.evaluation.report.figures.charts import Curve, color, line_chart

__all__ = ["epoch_curve", "training_figures"]

_LOSSES = {"cls": "classes", "box": "boxes", "l1": "distances (L1)", "one_to_one": "one-to-one branch"}
_ACCURACY = {"ap50": "AP50", "ap": "AP50-95", "ap75": "AP75"}
_SIZES = {"ap_large": "large", "ap_medium": "medium", "ap_small": "small"}

Rows = Sequence[Mapping[str, float]]


def training_figures(rows: Rows, best_epoch: int) -> str:
    """All charts as HTML; nothing before the first epoch is done."""
    if not rows:
        return ""
    mark = (float(best_epoch), f"best: epoch {best_epoch}") if best_epoch else None
    large = [
        _chart("Accuracy on the validation images", rows, _ACCURACY, mark, (0.0, 1.0)),
        _chart("Losses in training", rows, _LOSSES),
    ]
    small = [
        _chart("AP50-95 by size of object", rows, _SIZES, mark, (0.0, 1.0)),
        _chart("Learning rate", rows, {"lr": "learning rate"}),
        _chart("Images per second", rows, {"images_per_second": "images per second"}),
        _chart("Part of the time that waits for data", rows, {"waiting": "waits for data"}, y_range=(0.0, 1.0)),
    ]
    return grid(large, wide=True) + grid(small)


def _chart(
    title: str,
    rows: Rows,
    keys: Mapping[str, str],
    mark: tuple[float, str] | None = None,
    y_range: tuple[float, float] | None = None,
) -> str:
    there = {key: name for key, name in keys.items() if any(_is_number(row.get(key)) for row in rows)}
    if not there:
        return ""
    last = float(rows[-1]["epoch"])
    names = legend((name, color(number)) for number, name in enumerate(there.values())) if len(keys) > 1 else ""
    curves = [epoch_curve(rows, key, name, color(number)) for number, (key, name) in enumerate(there.items())]
    return figure(
        title, names + line_chart(curves[::-1], "epoch", (min(1.0, last), max(last, 2.0)), y_range, mark, whole_x=True)
    )


def epoch_curve(rows: Rows, key: str, name: str, paint: str) -> Curve:
    """One figure over the epochs; those that lack it are passed over."""
    points = [(row["epoch"], row[key]) for row in rows if _is_number(row.get(key))]
    return Curve(name, [x for x, _ in points], [y for _, y in points], color=paint)


def _is_number(value: float | None) -> bool:
    return value is not None and not math.isnan(value)
