"""What the best weights find: curves by class, the confidence to use, the confusion matrix, a table of classes."""

import math
from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from fusedet.common.html import figure, fold, grid, legend, share, table
from fusedet.train.evaluation.curves import CONFIDENCES, RECALLS, ConfidenceCurves, best_confidence
from fusedet.train.evaluation.metrics import Metrics
from fusedet.train.evaluation.report.analysis import Analysis
from fusedet.train.evaluation.report.figures.charts import Curve, color, line_chart
from fusedet.train.evaluation.report.figures.maps import confusion_matrix

__all__ = ["class_curves", "class_table", "confusion_figures", "size_table"]

#: Classes that are all drawn in colour; of more, the worst and the best of this number each.
_MOST_COLORED, _HIGHLIGHTED = 6, 3
#: Rows of the table of classes; of more, so many of the worst are open to see.
_MOST_ROWS, _OPEN_ROWS = 30, 10
#: A matrix of more classes is too large for a page; the pairs that are confused most are told in any case.
_MOST_IN_MATRIX = 100


def class_curves(analysis: Analysis) -> str:
    """Precision over recall, and F1, precision and recall over the confidence."""
    order = _worst_first(analysis.precision.mean(axis=1))
    if not order:
        return ""
    colors = _colors(order)
    best = analysis.confidence
    mark = None if math.isnan(best) else (best, f"{best:.2f}")
    mean_precision = analysis.precision[order].mean(axis=0)
    over_recall = _curves(analysis, order, colors, RECALLS, lambda i: analysis.precision[i], mean_precision)
    charts = [figure("Precision over recall", line_chart(over_recall, "recall", (0, 1), (0, 1)), _AREA)]
    for title, name, caption in _OVER_CONFIDENCE:
        curves = _curves(
            analysis, order, colors, CONFIDENCES, _part_of(analysis.by_class, name), getattr(analysis.mean, name)
        )
        charts.append(figure(title, line_chart(curves, "score threshold", (0, 1), (0, 1), mark), caption))
    return _legend(analysis, order, colors) + grid(charts, wide=True)


_AREA = "The area under a curve is AP50."
_OVER_CONFIDENCE = (
    (
        "F1 over score threshold",
        "f1",
        "The balance of precision and recall; the dashed line is where the mean is best.",
    ),
    ("Precision over score threshold", "precision", "Of what is reported, how much is right."),
    ("Recall over score threshold", "recall", "Of what is there, how much is reported."),
)


def _part_of(curves: Sequence[ConfidenceCurves], name: str) -> Callable[[int], NDArray[np.float64]]:
    return lambda i: np.asarray(getattr(curves[i], name))


def _worst_first(scores: NDArray[np.float64]) -> list[int]:
    """Classes that have objects."""
    return [int(i) for i in np.argsort(scores, kind="stable") if not math.isnan(scores[i])]


def _colors(order: Sequence[int]) -> dict[int, str]:
    if len(order) <= _MOST_COLORED:
        return {i: color(number) for number, i in enumerate(sorted(order))}
    chosen = [*order[:_HIGHLIGHTED], *order[::-1][:_HIGHLIGHTED]]
    # Warm for the worst, cool for the best.
    return {i: f"var(--c{number})" for i, number in zip(chosen, (1, 3, 4, 0, 2, 5), strict=True)}


def _curves(
    analysis: Analysis,
    order: Sequence[int],
    colors: dict[int, str],
    x: NDArray[np.float64],
    y: Callable[[int], NDArray[np.float64]],
    mean: NDArray[np.float64],
) -> list[Curve]:
    faint = [Curve(analysis.names[i], x, y(i), "faint") for i in order if i not in colors]
    colored = [Curve(analysis.names[i], x, y(i), "", colors[i]) for i in colors]
    return [
        *faint,
        *colored,
        *([Curve("mean of all classes", x, mean, "bold", "var(--ink)")] if len(order) > 1 else []),
    ]


def _legend(analysis: Analysis, order: Sequence[int], colors: dict[int, str]) -> str:
    names = [(analysis.names[i], paint) for i, paint in colors.items()]
    if len(order) > len(colors):
        count = _HIGHLIGHTED
        names = [(f"{name} ({'worst' if k < count else 'best'})", paint) for k, (name, paint) in enumerate(names)]
        names.append((f"{len(order) - len(colors)} other classes", "var(--line)"))
    if len(order) > 1:
        names.append(("mean of all classes", "var(--ink)"))
    return legend(names)


def confusion_figures(analysis: Analysis) -> str:
    """The matrix, and what is confused most, in words."""
    confused = analysis.confusion
    if not confused.counts.any():
        return ""
    matrix = confusion_matrix(confused) if len(confused.names) <= _MOST_IN_MATRIX else ""
    pairs = confused.worst_pairs()
    if not pairs:
        return matrix + ("<p>No class was taken for another.</p>" if len(confused.names) > 1 else "")
    rows = ([escape(true), escape(found), str(count)] for true, found, count in pairs)
    listed = "<div><h3>Confused most often</h3>" + table(("what is there", "what was found", "times"), rows, (2,))
    return f'<div class="beside">{matrix}{listed}</div></div>'


def class_table(analysis: Analysis, metrics: Metrics) -> str:
    """AP, recommended confidence and what it gives, for each class; the worst first."""
    ap = np.array([metrics.per_class[name][0] for name in analysis.names])
    order = _worst_first(ap)
    without = [i for i in range(len(ap)) if math.isnan(ap[i])]
    at = int(np.abs(CONFIDENCES - analysis.threshold).argmin())
    rows = []
    for i in [*order, *without]:
        name, curves = analysis.names[i], analysis.by_class[i]
        own_ap, own_ap50 = metrics.per_class[name]
        found = [share(float(getattr(curves, part)[at]), 2) for part in ("precision", "recall", "f1")]
        bar = "" if math.isnan(own_ap) else f'<span class="bar" style="width:{4 * own_ap:.2f}rem"></span>'
        best = share(best_confidence(curves.f1), 2)
        rows.append([escape(name), str(analysis.objects[i]), share(own_ap), bar, share(own_ap50), *found, best])
    numbers = (1, 2, 4, 5, 6, 7, 8)
    titles = ("class", "objects", "AP50-95", "", "AP50", "precision", "recall", "F1", "best threshold")
    content = table(titles, rows, numbers)
    if len(rows) <= _MOST_ROWS:
        return content
    return table(titles, rows[:_OPEN_ROWS], numbers) + fold(f"all {len(rows)} classes", content)


def size_table(metrics: Metrics, counts: tuple[int, int, int]) -> str:
    """AP of small, medium and large objects; ``counts`` are how many there are."""
    named = (
        ("small", "below 32 × 32 pixels of the picture", metrics.ap_small),
        ("medium", "up to 96 × 96", metrics.ap_medium),
        ("large", "above", metrics.ap_large),
    )
    rows = (
        [name, text, str(count), share(ap)]
        for (name, text, ap), count in zip(named, counts, strict=True)
    )  # fmt: skip
    return table(("", "", "objects", "AP50-95"), rows, (2, 3))
