import numpy as np

from fusedet.train.evaluation.report.annotations import CELLS, annotation_statistics
from tests.train.samples import dataset, sample


def test_counts_by_hand() -> None:
    """Images of 200 x 100 in an input of 100 x 100: half the size."""
    first = sample(1, [[0, 0, 10, 10], [190, 90, 200, 100], [0, 0, 200, 100]], [0, 0, 1])
    second = sample(2, [[0, 0, 100, 100]], [0], [True])
    one = annotation_statistics(dataset(first, second), (100, 100))
    assert (one.images, one.empty, one.tiny) == (2, 1, 2), "a region to ignore is no object"
    assert one.objects.tolist() == [2, 1]
    bins = {int(one.size_edges[i]): int(one.sizes[i]) for i in np.flatnonzero(one.sizes)}
    assert bins == {4: 2, 64: 1}, "sides of 5 and of 70.7 pixels"
    assert one.places[1, 0] == one.places[-2, -1] == one.places[CELLS // 2, CELLS // 2] == 1
    assert one.places.sum() == one.shapes.sum() == 3
    assert one.shapes[0, -1] == 1, "as wide and as high as the image: the upper right corner"


def test_extremes_are_counted_in_the_last_bins() -> None:
    one = annotation_statistics(dataset(sample(1, [[0, 0, 1, 1], [0, 0, 200, 100]], [0, 0])), (4096, 4096))
    assert one.sizes.sum() == 2
    assert one.sizes[-1] == 1


def test_no_objects() -> None:
    one = annotation_statistics(dataset(sample(1, [], [])), (64, 64))
    assert one.empty == 1
    assert not one.sizes.any()
    assert not one.places.any()
