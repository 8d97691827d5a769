"""What the annotations are like: how many objects of which class, how large, and where."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusedet.train.data.coco import CocoDataset

#: Cells of a heat map, along each side.
CELLS = 24
#: Edges of the histogram of sizes, in pixels of the network's input: two bins an octave.
SIZE_EDGES: NDArray[np.float64] = 2.0 ** np.arange(1.0, 10.51, 0.5)


@dataclass(frozen=True)
class AnnotationStatistics:
    """Of one data set; regions to ignore do not count.

    Attributes:
        images: how many.
        empty: images without an object.
        objects: int64 ``[C]``: of each class.
        sizes: int64 ``[len(SIZE_EDGES) - 1]``: objects by the square root of their box's area, in pixels of the
            network's input; what lies outside the edges counts in the first or the last bin.
        size_edges: ``[len(sizes) + 1]``.
        places: int64 ``[CELLS, CELLS]``, rows from the top: objects by the centre of their box in the image.
        shapes: int64 ``[CELLS, CELLS]``, rows from the top, the largest height: objects by width (across) and height
            (up) of their box, as parts of the image.
        tiny: objects of less than 8 pixels in the network's input, the distance of its closest points.
    """

    images: int
    empty: int
    objects: NDArray[np.int64]
    sizes: NDArray[np.int64]
    size_edges: NDArray[np.float64]
    places: NDArray[np.int64]
    shapes: NDArray[np.int64]
    tiny: int


def annotation_statistics(dataset: CocoDataset, input_hw: tuple[int, int]) -> AnnotationStatistics:
    """Counts the objects of a data set, as a network with an input of ``input_hw`` pixels would meet them."""
    classes = len(dataset.names)
    objects = np.zeros(classes, np.int64)
    boxes, sides, empty = [np.zeros((0, 4))], [np.zeros(0)], 0
    for sample in dataset.samples:
        labels = sample.labels[~sample.crowd]
        objects += np.bincount(labels, minlength=classes)
        empty += not len(labels)
        own = sample.boxes_xyxy[~sample.crowd].astype(np.float64)
        scale = min(input_hw[0] / sample.height, input_hw[1] / sample.width)
        sides.append(np.sqrt((own[:, 2:] - own[:, :2]).prod(axis=1)) * scale)
        boxes.append(own / np.tile([sample.width, sample.height], 2))
    relative, side = np.concatenate(boxes), np.concatenate(sides)
    inside = side.clip(SIZE_EDGES[0], np.nextafter(SIZE_EDGES[-1], 0))
    width, height = (relative[:, 2:] - relative[:, :2]).T
    return AnnotationStatistics(
        images=len(dataset.samples),
        empty=empty,
        objects=objects,
        sizes=np.histogram(inside, SIZE_EDGES)[0].astype(np.int64),
        size_edges=SIZE_EDGES,
        places=_cells(*((relative[:, :2] + relative[:, 2:]) / 2).T),
        shapes=_cells(width, 1 - height),
        tiny=int((side < 8).sum()),
    )


def _cells(across: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.int64]:
    """Points of 0..1 counted in cells: ``[CELLS, CELLS]``, rows downwards."""
    columns, rows = ((values * CELLS).astype(np.int64).clip(0, CELLS - 1) for values in (across, down))
    return np.bincount(rows * CELLS + columns, minlength=CELLS * CELLS).reshape(CELLS, CELLS).astype(np.int64)
