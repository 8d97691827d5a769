"""Charts of pages: drawn by matplotlib, as SVG in the page's own colours, which follow light and dark."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

#: Variables of ``common/templates/style.css`` and their values in light, in which matplotlib draws.
COLORS = {
    **{"ink": "#1c2430", "quiet": "#5a6675", "line": "#dde3ea"},
    **{"c0": "#1567b3", "c1": "#d1500a", "c2": "#11845b", "c3": "#a8488f"},
    **{"c4": "#96710b", "c5": "#2596be", "c6": "#6b4fbb", "c7": "#7d4a2d"},
}
_CURVE_COLORS = 8
#: Of a chart and its letters, in points; the page scales them.
_WIDTH, _HEIGHT, _LETTERS = 360, 230, 11
#: An axis up to less than this, as of learning rates, counts in thousandths.
_SMALL = 0.01
#: Cells of a heat map are blue in light and dark, and the more there is, the less the page shines through.
_BLUE = (0.18, 0.50, 0.80)
#: Begins the id of what has a title; the title follows in hexadecimal.
_TITLE = "title-"


Values = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One curve."""

    name: str  # shown where the pointer rests on it
    x: Values  # [N]
    y: Values  # [N]; NaN leaves a gap
    color: str = "c0"  # of :data:`COLORS`
    width: float = 1.8  # of the line in pixels of the page


def color(number: int) -> str:
    """The variable of the page's colour of that number; there are eight."""
    return f"c{number % _CURVE_COLORS}"


def line_chart(
    curves: Sequence[Curve],
    x_title: str,
    y_title: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float] | None = None,
    mark: tuple[float, str] | None = None,
    whole_x: bool = False,
) -> Markup:
    """A chart as SVG.

    Args:
        curves: the last lies on top; what leaves the frame is held at its edge.
        x_title: of the axis, with its unit.
        y_title: likewise.
        x_range: ends of the axis.
        y_range: likewise; left out, from zero to what the curves need.
        mark: where an upright line stands, and what is written beside it.
        whole_x: there is nothing between whole numbers of that axis, such as epochs.
    """
    values = np.concatenate([np.zeros(1), *(np.asarray(curve.y, np.float64).ravel() for curve in curves)])
    low, high = y_range or (0.0, 1.04 * float(values[np.isfinite(values)].max()) or 1.0)
    small = high < _SMALL
    axes = new_axes(x_title, f"{y_title} x 1000" if small else y_title)
    for curve in curves:
        _draw(axes, curve, np.asarray(curve.y, np.float64).clip(low, high))
    axes.set_xlim(*x_range)
    axes.set_ylim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=whole_x, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if small:  # 0.0005 leaves no room for the title
        axes.yaxis.set_major_formatter(lambda value, _: f"{1000 * value:g}")
    if mark is not None and x_range[0] <= mark[0] <= x_range[1]:
        _draw_mark(axes, *mark, to_the_right=mark[0] < sum(x_range) / 2)
    return to_svg(axes, ", ".join(curve.name for curve in curves if curve.width > 1))


def _draw(axes: Axes, curve: Curve, y: NDArray[np.float64]) -> None:
    x = np.asarray(curve.x, np.float64)
    there = np.flatnonzero(np.isfinite(y))
    if len(there) == 1:
        only = axes.text(x[there[0]], y[there[0]], "●", ha="center", va="center", color=COLORS[curve.color])
        titled(only, curve.name)
    elif len(there):
        (line,) = axes.plot(x, y, color=COLORS[curve.color], linewidth=curve.width)
        titled(line, curve.name)


def _draw_mark(axes: Axes, x: float, text: str, to_the_right: bool) -> None:
    axes.axvline(x, color=COLORS["ink"], linewidth=1, linestyle=(0, (3, 3)))
    axes.annotate(
        text,
        (x, 0),
        (5 if to_the_right else -5, 7),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="left" if to_the_right else "right",
        color=COLORS["ink"],
        parse_math=False,
    )


def heat_map(cells: NDArray[np.float64] | NDArray[np.int64], x_title: str, y_title: str, aspect: float = 1.0) -> Markup:
    """Cells ``[rows, columns]`` of 0 or more as SVG, rows from the top: the darker, the more."""
    axes = new_axes(x_title, y_title, height=round(300 / min(max(aspect, 0.5), 2.5)) + 24)
    axes.set_position((0.055, 0.08, 0.94, 0.92))
    filled = np.zeros((*cells.shape, 4))
    filled[..., :3] = _BLUE
    filled[..., 3] = (cells / (cells.max() or 1)) ** 0.5  # few objects are to be seen beside many
    axes.imshow(filled, extent=(0, 1, 1, 0), aspect="auto", interpolation="none")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    return to_svg(axes, f"{x_title}, {y_title}")


def new_axes(x_title: str = "", y_title: str = "", height: int = _HEIGHT) -> Axes:
    """Axes as wide as a chart of the page, in its colours, with lines across."""
    figure = Figure(figsize=(_WIDTH / 72, height / 72), frameon=False)
    axes = figure.subplots()
    figure.subplots_adjust(54 / _WIDTH, 36 / height, 1 - 10 / _WIDTH, 1 - 8 / height)
    axes.patch.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.spines[:].set_color(COLORS["line"])
    axes.grid(axis="y", color=COLORS["line"], linewidth=1)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelsize=_LETTERS, labelcolor=COLORS["quiet"])
    axes.set_xlabel(x_title, color=COLORS["quiet"], fontsize=_LETTERS)
    axes.set_ylabel(y_title, color=COLORS["quiet"], fontsize=_LETTERS)
    return axes


def titled(artist: object, title: str) -> None:
    """Gives what matplotlib draws a title, which the browser shows where the pointer rests."""
    artist.set_gid(_TITLE + title.encode().hex())  # type: ignore[attr-defined]


def to_svg(axes: Axes, label: str) -> Markup:
    """The figure of axes of :func:`new_axes` to stand in a page: without ids, clip paths and fonts, in its colours.

    ``label`` says what it shows to those who do not see it.
    """
    for artist in axes.findobj():
        artist.set_clip_on(False)
    figure, written = axes.figure, io.StringIO()
    assert isinstance(figure, Figure)
    with rc_context({"svg.fonttype": "none"}):
        figure.savefig(written, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    view, body = re.findall(r'<svg [^>]*(viewBox="[^"]*")[^>]*>\s*(.*)</svg>', written.getvalue(), re.DOTALL)[0]
    body = re.sub(r"<defs>.*?</defs>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(f'<g id="{_TITLE}([^"]*)">', lambda found: f"<g>{_title(found[1])}", body)
    body = re.sub(r' id="[^"]*"|font-(size|family): [^;]*; | transform="rotate\(-0 [^"]*"', "", body)
    for name, value in COLORS.items():
        body = body.replace(value, f"var(--{name})")
    body = re.sub(r"\s*\n\s*", " ", body)
    return Markup(f'<svg class="chart" {view} role="img" aria-label="{escape(label)}">{body}</svg>')


def _title(hexadecimal: str) -> str:
    return f"<title>{escape(bytes.fromhex(hexadecimal).decode())}</title>"
