"""What there is to learn from and to be graded on: classes, sizes and places of the labelled objects."""

from collections.abc import Mapping
from html import escape

from fusedet.common.html import figure, fold, grid, legend, table
from fusedet.train.evaluation.report.figures.charts import color
from fusedet.train.evaluation.report.figures.maps import heat_map, size_histogram
from fusedet.train.evaluation.report.labels import LabelStatistics

__all__ = ["label_figures"]

_MOST_ROWS = 30


def label_figures(names: tuple[str, ...], sets: Mapping[str, LabelStatistics], picture_aspect: float) -> str:
    """Tables and maps as HTML.

    Args:
        names: class names.
        sets: the statistics of each set, the one to learn from first.
        picture_aspect: width over height of a usual picture.
    """
    first = next(iter(sets.values()))
    charts = [
        figure(
            "Sizes",
            legend((name, color(number)) for number, name in enumerate(sets))
            + size_histogram(
                first.size_edges, [(name, one.sizes) for name, one in sets.items()], "side in pixels of the input"
            ),
            _tiny(first),
        ),
        figure("Places", heat_map(first.places, "across", "down", picture_aspect), "Centres of the objects to learn."),
        figure("Shapes", heat_map(first.shapes, "width →", "height →"), "Boxes as parts of the picture, 0 to 1."),
    ]
    return _sets(sets) + _classes(names, sets) + grid(charts)


def _tiny(one: LabelStatistics) -> str:
    count = int(one.sizes.sum())
    if not one.tiny or not count:
        return "Square root of the box's area. None to learn from is below 8 pixels, where finding becomes hard."
    return (
        f"Square root of the box's area. {one.tiny} to learn from ({100 * one.tiny / count:.1f} %) are below 8 pixels, "
        "where finding becomes hard; a larger model.input_size makes them larger."
    )


def _sets(sets: Mapping[str, LabelStatistics]) -> str:
    rows = (
        [escape(name), f"{one.images:,}", f"{int(one.objects.sum()):,}", f"{one.empty:,}"] for name, one in sets.items()
    )
    return table(("", "pictures", "objects", "pictures without any"), rows, (1, 2, 3))


def _classes(names: tuple[str, ...], sets: Mapping[str, LabelStatistics]) -> str:
    most = max(max((int(one.objects.max(initial=0)) for one in sets.values()), default=1), 1)
    rows = []
    for i in sorted(range(len(names)), key=lambda i: -int(next(iter(sets.values())).objects[i])):
        cells = [escape(names[i])]
        for number, one in enumerate(sets.values()):
            width = 6 * int(one.objects[i]) / most
            cells += [
                f"{int(one.objects[i]):,}",
                f'<span class="bar" style="width:{width:.2f}rem;background:{color(number)}"></span>',
            ]
        rows.append(cells)
    titles = ["objects of a class", *(title for name in sets for title in (name, ""))]
    content = table(titles, rows, range(1, 2 * len(sets), 2))
    return fold(f"objects of all {len(names)} classes", content) if len(names) > _MOST_ROWS else content
