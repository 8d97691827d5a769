"""What the best weights find: curves by class over recall and score threshold, and a table of classes."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fusedet.common.pages import share
from fusedet.train.charts import Curve, color, line_chart
from fusedet.train.evaluation.curves import CONFIDENCES, RECALLS, best_confidence
from fusedet.train.evaluation.metrics import Metrics
from fusedet.train.evaluation.report.analysis import Analysis
from fusedet.train.evaluation.report.figures.training import Chart

#: Classes that are all drawn in colour; of more, the worst and the best of this number each.
_MOST_COLORED, _HIGHLIGHTED = 6, 3
_OVER_THRESHOLD = (
    ("F1", "f1", "The balance of precision and recall; the dashed line is where the mean is best."),
    ("Precision", "precision", "Of what is reported, how much is right."),
    ("Recall", "recall", "Of what is there, how much is reported."),
)


def class_curves(analysis: Analysis) -> list[Chart]:
    """Precision over recall, and F1, precision and recall over the score threshold; none where nothing is to find."""
    order = _worst_first(analysis.precision.mean(axis=1))
    if not order:
        return []
    best = analysis.best_threshold
    mark = None if math.isnan(best) else (best, f"{best:.2f}")
    mean_precision = analysis.precision[order].mean(axis=0)
    curves = _curves(analysis, order, RECALLS, analysis.precision, mean_precision)
    svg = line_chart(curves, "recall", "precision", (0, 1), (0, 1))
    charts = [Chart("Precision over recall", svg, caption="The area under a curve is AP50.")]
    for title, name, caption in _OVER_THRESHOLD:
        by_class = [getattr(curves, name) for curves in analysis.by_class]
        curves = _curves(analysis, order, CONFIDENCES, by_class, getattr(analysis.mean, name))
        svg = line_chart(curves, "score threshold", name.replace("f1", "F1"), (0, 1), (0, 1), mark)
        charts.append(Chart(f"{title} over score threshold", svg, caption=caption))
    return charts


def curve_names(analysis: Analysis) -> list[tuple[str, str]]:
    """The legend of :func:`class_curves`."""
    order = _worst_first(analysis.precision.mean(axis=1))
    colors = _colors(order)
    names = [(analysis.names[i], paint) for i, paint in colors.items()]
    if len(order) > len(colors):
        kinds = ["worst"] * _HIGHLIGHTED + ["best"] * _HIGHLIGHTED
        names = [(f"{name} ({kind})", paint) for (name, paint), kind in zip(names, kinds, strict=True)]
        names.append((f"{len(order) - len(colors)} other classes", "line"))
    return names + ([("mean of all classes", "ink")] if len(order) > 1 else [])


def _worst_first(scores: NDArray[np.float64]) -> list[int]:
    """Classes that have objects."""
    return [int(i) for i in np.argsort(scores, kind="stable") if not math.isnan(scores[i])]


def _colors(order: Sequence[int]) -> dict[int, str]:
    if len(order) <= _MOST_COLORED:
        return {i: color(number) for number, i in enumerate(sorted(order))}
    chosen = [*order[:_HIGHLIGHTED], *order[::-1][:_HIGHLIGHTED]]
    # Warm for the worst, cool for the best.
    return {i: color(number) for i, number in zip(chosen, (1, 3, 4, 0, 2, 5), strict=True)}


def _curves(
    analysis: Analysis,
    order: Sequence[int],
    x: NDArray[np.float64],
    y: Sequence[NDArray[np.float64]] | NDArray[np.float64],
    mean: NDArray[np.float64],
) -> list[Curve]:
    colors = _colors(order)
    faint = [Curve(analysis.names[i], x, y[i], "line", 0.8) for i in order if i not in colors]
    colored = [Curve(analysis.names[i], x, y[i], colors[i]) for i in colors]
    return [*faint, *colored, *([Curve("mean of all classes", x, mean, "ink", 2.8)] if len(order) > 1 else [])]


def class_rows(analysis: Analysis, metrics: Metrics) -> list[tuple[float, list[str]]]:
    """AP50-95 and the cells of each class: objects, AP, what the recommended threshold gives; the worst first."""
    ap = np.array([metrics.per_class[name][0] for name in analysis.names])
    without = [i for i in range(len(ap)) if math.isnan(ap[i])]
    at = int(np.abs(CONFIDENCES - analysis.threshold).argmin())
    rows = []
    for i in [*_worst_first(ap), *without]:
        name, curves = analysis.names[i], analysis.by_class[i]
        own_ap, own_ap50 = metrics.per_class[name]
        found = [share(float(getattr(curves, part)[at]), 2) for part in ("precision", "recall", "f1")]
        best = share(best_confidence(curves.f1), 2)
        rows.append((own_ap, [name, str(analysis.objects[i]), share(own_ap), share(own_ap50), *found, best]))
    return rows
