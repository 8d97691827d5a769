"""Small drawings for the page, as SVG text: bars, histograms and a map of places."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

__all__ = ["class_bars", "histogram", "place_map"]

_WIDTH, _HEIGHT, _FOOT = 300, 130, 18


def class_bars(per_class: Mapping[str, int], most: int = 20) -> str:
    """A bar for each class, the most frequent first; those beyond ``most`` are counted."""
    top = max(per_class.values(), default=0) or 1
    rows = [
        f'<div class="row"><span>{escape(name)}</span><i style="width:{max(0.5, 55 * count / top):.1f}%"></i>'
        f"<b>{count:,}</b></div>"
        for name, count in list(per_class.items())[:most]
    ]
    rest = list(per_class.items())[most:]
    if rest:
        rows.append(f'<p class="quiet">{len(rest)} more classes, {sum(count for _, count in rest):,} boxes</p>')
    return "".join(rows)


def histogram(
    values: NDArray[np.float64], edges: Sequence[float], labels: Sequence[str], mark: int | None = None
) -> str:
    """Counts of the values between edges.

    Args:
        values: what to count; what lies beyond the last edge counts there.
        edges: of the bins, ascending.
        labels: one for each edge; "" writes none.
        mark: bins left of this edge stand out.
    """
    counts, _ = np.histogram(np.clip(values, edges[0], np.nextafter(edges[-1], edges[0])), edges)
    top, step = max(1, int(counts.max())), _WIDTH / len(counts)
    parts = []
    for i, count in enumerate(counts.tolist()):
        high = (_HEIGHT - _FOOT - 4) * count / top
        css = "few" if mark is not None and i < mark else "some"
        parts.append(
            f'<rect class="{css}" x="{i * step + 0.5:.1f}" y="{_HEIGHT - _FOOT - high:.1f}" width="{step - 1:.1f}" '
            f'height="{high:.1f}"><title>{edges[i]:g} to {edges[i + 1]:g}: {count:,}</title></rect>'
        )
    for i, label in enumerate(labels):
        anchor = "start" if i == 0 else "end" if i == len(counts) else "middle"
        parts.append(f'<text x="{i * step:.1f}" y="{_HEIGHT - 4}" text-anchor="{anchor}">{escape(label)}</text>')
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'


def place_map(places: NDArray[np.float64]) -> str:
    """Where the middles of the boxes lie in their pictures: the darker, the more."""
    rows, columns = places.shape
    top = places.max() or 1
    cells = "".join(
        f'<rect class="some" x="{x}" y="{y}" width="1.02" height="1.02" opacity="{(places[y, x] / top) ** 0.5:.2f}"/>'
        for y in range(rows)
        for x in range(columns)
        if places[y, x] > 0
    )
    frame = f'<rect class="frame" width="{columns}" height="{rows}"/>'
    return f'<svg class="map" viewBox="0 0 {columns} {rows}" role="img">{frame}{cells}</svg>'
