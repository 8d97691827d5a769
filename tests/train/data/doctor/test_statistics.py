"""Figures of a set as training reads it."""

import numpy as np

from fusedet.train.data.doctor.statistics import CELLS, measure_dataset
from tests.train.samples import dataset, sample


def test_counts_by_hand() -> None:
    """Images of 200 x 100 in an input of 100 x 100: half the size."""
    first = sample(1, [[0, 0, 10, 10], [190, 90, 200, 100], [0, 0, 200, 100]], [0, 0, 1])
    second = sample(2, [[0, 0, 100, 100]], [0], [True])
    one = measure_dataset("train", dataset(first, second), (100, 100))
    assert (one.images, one.boxes, one.crowd) == (2, 3, 1), "a region to ignore is no object"
    assert one.per_image.tolist() == [3, 0]
    assert one.per_class == {"cat": 2, "dog": 1}
    assert one.letterboxed.tolist() == [5, 5, 50]
    places = np.round(3 * one.places).astype(int)
    assert places[1, 0] == places[-2, -1] == places[CELLS // 2, CELLS // 2] == 1


def test_no_objects() -> None:
    one = measure_dataset("val", dataset(sample(1, [], [])), (64, 64))
    assert one.per_image.tolist() == [0]
    assert not one.places.any()
