"""What the book's images have in common."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

OURS, THEIRS = "#0b7a75", "#c8553d"
#: From light to dark, for things in an order.
SHADES = ("#9ccfca", "#45a29b", OURS, "#064744", "#02211f")


def figure(width: float, height: float, columns: int = 1, *, shared: bool = False) -> tuple[Figure, list[Axes]]:
    """An image of so many panels, in inches."""
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    panels = list(made.subplots(1, columns, squeeze=False, sharey=shared)[0])
    for axes in panels:
        tidy(axes)
    return made, panels


def tidy(axes: Axes) -> None:
    """Less ink."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.set_axisbelow(True)


def bars(
    axes: Axes,
    names: Sequence[str],
    values: Sequence[float],
    colors: Sequence[str],
    form: str,
    marks: Sequence[float] = (),
) -> None:
    """Lying bars from top to bottom with their values; ``marks`` are short strokes at a second value of each."""
    places = range(len(names))
    axes.barh(places, values, color=colors, height=0.72)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    ends = [max(pair) for pair in zip(values, marks or values, strict=True)]
    for place, mark in zip(places, marks, strict=False):
        axes.plot([mark, mark], [place - 0.36, place + 0.36], color="#333333", lw=1.2)
    for place, value, end in zip(places, values, ends, strict=True):
        axes.annotate(form.format(value), (end, place), (4, 0), textcoords="offset points", va="center", fontsize=7.5)
    axes.set_xlim(0, 1.16 * max(ends))
    axes.grid(axis="x", alpha=0.25)


def save(made: Figure, path: Path) -> None:
    """As a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made.savefig(path, dpi=120)
