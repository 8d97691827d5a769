"""What there is to train on and to be evaluated on: sizes and places of the annotated objects."""

from collections.abc import Mapping

from fusedet.train.charts import color, heat_map, size_histogram
from fusedet.train.evaluation.report.annotations import AnnotationStatistics
from fusedet.train.evaluation.report.figures.training import Chart


def annotation_charts(sets: Mapping[str, AnnotationStatistics], aspect: float) -> list[Chart]:
    """Charts of sizes, places and shapes.

    Args:
        sets: the statistics of each set, the training set first.
        aspect: width over height of a usual image.
    """
    first = next(iter(sets.values()))
    sizes = size_histogram(
        first.size_edges, [(name, one.sizes) for name, one in sets.items()], "side in the network's input, px"
    )
    places = heat_map(first.places, "x in the image", "y in the image", aspect)
    shapes = heat_map(first.shapes, "box width →", "box height →")
    return [
        Chart("Sizes", sizes, [(name, color(number)) for number, name in enumerate(sets)], _tiny(first)),
        Chart("Places", places, caption="Centres of the training set's objects."),
        Chart("Shapes", shapes, caption="Its boxes as parts of the image, 0 to 1."),
    ]


def _tiny(one: AnnotationStatistics) -> str:
    count = int(one.sizes.sum())
    if not one.tiny or not count:
        return "Square root of the box's area. None of the training set is below 8 pixels, where finding becomes hard."
    return (
        f"Square root of the box's area. {one.tiny} of the training set ({100 * one.tiny / count:.1f} %) are below 8 "
        "pixels, where finding becomes hard; a larger input makes them larger."
    )
