"""Curves as SVG: a few hundred bytes each, in the page's own colours, sharp on paper."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Curve", "color", "line_chart", "nice_ticks"]

_COLORS = 8
_WIDTH, _HEIGHT = 360, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 8, 34


@dataclass(frozen=True)
class Curve:
    """One curve.

    Attributes:
        name: shown when the pointer rests on it.
        x: ``[N]``.
        y: ``[N]``; NaN leaves a gap.
        style: CSS classes beside ``curve``, such as ``bold`` or ``faint``.
        color: CSS, see :func:`color`; left out, that of its style.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    style: str = ""
    color: str = ""


def color(number: int) -> str:
    """The page's colour of that number, in light and in dark; there are eight."""
    return f"var(--c{number % _COLORS})"


def line_chart(
    curves: Sequence[Curve],
    x_label: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float] | None = None,
    mark: tuple[float, str] | None = None,
    whole_x: bool = False,
) -> str:
    """A chart.

    Args:
        curves: the last lies on top.
        x_label: below the axis.
        x_range: ends of the axis.
        y_range: ends of the axis; left out, from zero to what the curves need.
        mark: where an upright line stands, and what is written beside it.
        whole_x: there is nothing between whole numbers of that axis, such as epochs.
    """
    low, high = y_range or (0.0, _highest(curves))
    ticks_x, ticks_y = nice_ticks(*x_range, whole=whole_x), nice_ticks(low, high)
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    span_x, span_y = max(x_range[1] - x_range[0], 1e-12), max(high - low, 1e-12)

    def place_x(values: ArrayLike) -> NDArray[np.float64]:
        return _LEFT + (np.asarray(values, np.float64) - x_range[0]) / span_x * width

    def place_y(values: ArrayLike) -> NDArray[np.float64]:
        return _TOP + (1 - (np.asarray(values, np.float64).clip(low, high) - low) / span_y) * height

    foot = _HEIGHT - _BOTTOM
    parts = []
    for tick in ticks_y:
        y = float(place_y(tick))
        parts.append(f'<path class="axis" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_figure(tick)}</text>')
    for tick in ticks_x:
        parts.append(
            f'<text x="{float(place_x(tick)):.1f}" y="{foot + 15}" text-anchor="middle">{_figure(tick)}</text>'
        )
    parts.append(f'<text x="{_LEFT + width / 2:.0f}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(x_label)}</text>')
    for curve in curves:
        parts.append(_path(curve, place_x(curve.x), place_y(curve.y)))
    if mark is not None and x_range[0] <= mark[0] <= x_range[1]:
        parts.append(_mark(float(place_x(mark[0])), mark[1], foot))
    label = escape(", ".join(curve.name for curve in curves if "faint" not in curve.style), quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _path(curve: Curve, x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    stroke = f' style="stroke:{curve.color}"' if curve.color else ""
    title = f"<title>{escape(curve.name)}</title>"
    there = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not len(there):
        return ""
    pieces = np.split(there, np.flatnonzero(np.diff(there) > 1) + 1)
    if len(there) == 1 and "faint" in curve.style:
        return ""
    if len(there) == 1:
        fill = f' style="fill:{curve.color}"' if curve.color else ""
        return f'<circle cx="{x[there[0]]:.1f}" cy="{y[there[0]]:.1f}" r="3"{fill}>{title}</circle>'
    drawn = "".join(_moves(np.stack([x[piece], y[piece]], axis=1)) for piece in pieces)
    return f'<path class="{f"curve {curve.style}".strip()}"{stroke} d="{drawn}">{title}</path>'


def _moves(points: NDArray[np.float64]) -> str:
    texts = [f"{x:.1f} {y:.1f}" for x, y in _thinned(points)]
    return "M" + "L".join(texts)


def _thinned(points: NDArray[np.float64], tolerance: float = 0.25) -> NDArray[np.float64]:
    """The points that a curve needs to stay within ``tolerance`` of itself (Douglas and Peucker, 1973)."""
    keep = np.zeros(len(points), bool)
    keep[[0, -1]] = True
    waiting = [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        start, along = points[first], points[last] - points[first]
        between = points[first + 1 : last] - start
        length = math.hypot(*along)
        if length:
            away = np.abs(along[0] * between[:, 1] - along[1] * between[:, 0]) / length
        else:
            away = np.hypot(between[:, 0], between[:, 1])
        farthest = int(away.argmax())
        if away[farthest] > tolerance:
            middle = first + 1 + farthest
            keep[middle] = True
            waiting += [(first, middle), (middle, last)]
    return points[keep]


def _mark(x: float, text: str, foot: int) -> str:
    anchor, shift = ("start", 5) if x < _WIDTH * 0.55 else ("end", -5)
    return (
        f'<path class="mark" d="M{x:.1f} {_TOP}V{foot}"/>'
        f'<text class="ink halo" x="{x + shift:.1f}" y="{foot - 7}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _highest(curves: Sequence[Curve]) -> float:
    values = np.concatenate([np.zeros(1), *(np.asarray(curve.y, np.float64).ravel() for curve in curves)])
    values = values[np.isfinite(values)]
    return float(values.max()) or 1.0


def nice_ticks(low: float, high: float, most: int = 6, whole: bool = False) -> list[float]:
    """Round numbers, or ``whole`` ones, from ``low`` to ``high``, about ``most`` of them."""
    if not high > low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(step * factor for factor in (1, 2, 5, 10, 20) if (high - low) / (step * factor) <= most)
    step = max(step, 1.0) if whole else step
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(step * i, 12) for i in range(first, last + 1)]


def _figure(value: float) -> str:
    return f"{value:.4g}"
