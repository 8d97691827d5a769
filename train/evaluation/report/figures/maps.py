"""Counts as SVG: a confusion matrix, a heat map, a histogram."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from fusedet.train.evaluation.report.figures.charts import color, nice_ticks
from fusedet.train.evaluation.report.figures.confusion import Confusion

__all__ = ["confusion_matrix", "heat_map", "size_histogram"]

#: Matrices of more classes show no numbers in their cells.
_MOST_NUMBERS = 16
#: Letters of a class name in a matrix.
_LETTERS = 14


def confusion_matrix(confusion: Confusion) -> str:
    """The matrix: rows are what is there, columns what was found, shares of the row."""
    rows = [*confusion.names, "background"]
    columns = [*confusion.names, "missed"]
    count = len(rows)
    side = 68 if count <= 5 else 46 if count <= 8 else 34 if count <= _MOST_NUMBERS else 14 if count <= 40 else 10
    letter = 12 if side >= 34 else side - 2
    turned = max(map(len, confusion.names)) * letter * 0.62 > side  # the names of columns, to stand side by side
    margin = round(min(_LETTERS, max(map(len, rows))) * letter * 0.62) + 10
    top = margin if turned else 24
    shares, counts = confusion.shares, confusion.counts
    parts = []
    for i, name in enumerate(rows):
        y = top + (i + 0.5) * side
        parts.append(_text(margin - 5, y + letter * 0.36, name, letter, "end"))
    for j, name in enumerate(columns):
        x = margin + (j + 0.5) * side
        if turned:
            place = f' transform="rotate(-60 {x + letter * 0.3:.1f} {top - 5})"'
            parts.append(_text(x + letter * 0.3, top - 5, name, letter, "start", place))
        else:
            parts.append(_text(x, top - 7, name, letter, "middle"))
    for i, j in zip(*np.nonzero(counts), strict=True):
        x, y = margin + j * side, top + i * side
        good = i == j
        title = f"{rows[i]} → {columns[j]}: {counts[i, j]} ({100 * shares[i, j]:.0f} %)"
        parts.append(
            f'<rect x="{x}" y="{y}" width="{side - 1}" height="{side - 1}" rx="2" '
            f'style="fill:var(--{"good" if good else "bad"})" opacity="{0.12 + 0.78 * shares[i, j]:.2f}">'
            f"<title>{escape(title)}</title></rect>"
        )
        if count <= _MOST_NUMBERS:
            ink = ' style="fill:var(--paper)"' if shares[i, j] > 0.55 else ' class="ink"'
            text = f"{100 * shares[i, j]:.0f}" if shares[i, j] >= 0.005 else "·"
            parts.append(
                f'<text x="{x + side / 2:.1f}" y="{y + side / 2 + 4:.1f}" text-anchor="middle"{ink}>{text}</text>'
            )
    width, height = margin + count * side + 22, top + count * side
    line = top + (count - 1) * side - 0.5
    parts.append(
        f'<path class="axis" d="M{margin} {line}h{count * side}M{margin + (count - 1) * side - 0.5} {top}V{height}"/>'
    )
    least = margin + count * min(side, 24)  # on a phone; what is wider scrolls
    return (
        f'<div class="scroll"><svg viewBox="0 0 {width} {height}" role="img" aria-label="confusion matrix" '
        f'style="width:{width}px;min-width:{least}px;max-width:100%">{"".join(parts)}</svg></div>'
    )


def _text(x: float, y: float, name: str, size: float, anchor: str, place: str = "") -> str:
    short = name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="font-size:{size}px"{place}>{escape(short)}'
        f"<title>{escape(name)}</title></text>"
    )


def heat_map(cells: NDArray[np.int64], across: str, down: str, aspect: float = 1.0) -> str:
    """Cells, rows from the top; the darker, the more. ``aspect`` is width over height."""
    rows, columns = cells.shape
    width = 300
    height = round(width / min(max(aspect, 0.5), 2.5))
    step_x, step_y = width / columns, height / rows
    most = max(int(cells.max()), 1)
    parts = [f'<rect x="20" y="0" width="{width}" height="{height}" style="fill:var(--card)"/>']
    for i, j in zip(*np.nonzero(cells), strict=True):
        part = (cells[i, j] / most) ** 0.5  # few objects are to be seen beside many
        parts.append(
            f'<rect x="{20 + j * step_x:.1f}" y="{i * step_y:.1f}" width="{step_x:.1f}" height="{step_y:.1f}" '
            f'style="fill:var(--c0)" opacity="{0.08 + 0.92 * part:.2f}"/>'
        )
    parts.append(f'<text x="{20 + width / 2}" y="{height + 16}" text-anchor="middle">{escape(across)}</text>')
    middle = height / 2
    parts.append(
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{escape(down)}</text>'
    )
    return f'<svg viewBox="0 0 {width + 24} {height + 22}" role="img">{"".join(parts)}</svg>'


def size_histogram(edges: NDArray[np.float64], sets: Sequence[tuple[str, NDArray[np.int64]]], x_label: str) -> str:
    """Shares of each set's objects by size; bins of all sets stand side by side, on a scale of octaves."""
    left, width, height, foot = 40, 312, 188, 196
    shares = [(name, counts / max(int(counts.sum()), 1)) for name, counts in sets]
    top = max([float(part.max()) for _, part in shares], default=0) or 1.0
    ticks = nice_ticks(0, top, 5)
    top = max(top, ticks[-1])
    filled = np.flatnonzero(sum(counts for _, counts in sets))
    first, last = (int(filled[0]) // 2 * 2, int(filled[-1]) + 1) if len(filled) else (0, len(edges) - 1)
    edges, shares = edges[first : last + 1], [(name, part[first:last]) for name, part in shares]
    bins = len(edges) - 1
    step = width / bins
    parts = []
    for tick in ticks:
        y = foot - tick / top * height
        parts.append(f'<path class="axis" d="M{left} {y:.1f}h{width}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{100 * tick:.3g} %</text>')
    bar = (step - 3) / len(shares)
    for number, (name, part) in enumerate(shares):
        for i in np.flatnonzero(part):
            tall = part[i] / top * height
            title = f"{name}: {100 * part[i]:.1f} % from {edges[i]:.0f} to {edges[i + 1]:.0f} px"
            parts.append(
                f'<rect x="{left + 1.5 + i * step + number * bar:.1f}" y="{foot - tall:.1f}" width="{bar:.1f}" '
                f'height="{tall:.1f}" style="fill:{color(number)}"><title>{escape(title)}</title></rect>'
            )
    for edge in range(0, bins + 1, 2):
        x = left + edge * step
        parts.append(f'<text x="{x:.1f}" y="{foot + 15}" text-anchor="middle">{edges[edge]:.0f}</text>')
    parts.append(f'<text x="{left + width / 2}" y="{foot + 31}" text-anchor="middle">{escape(x_label)}</text>')
    return f'<svg viewBox="0 0 360 230" role="img">{"".join(parts)}</svg>'
