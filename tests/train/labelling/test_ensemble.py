"""Weighted boxes fusion by hand."""

from functools import partial

import numpy as np
import pytest

from fusedet.configs import InputError
from fusedet.deploy import Detections
from fusedet.train.labelling.ensemble import Ensemble, fuse_detections
from tests.detections import detections_of

NAMES = ("cat", "dog")
CAT, DOG = range(2)
Row = tuple[float, ...]


detections = partial(detections_of, NAMES)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([], [], []),
        # What both see is where both say, each as loudly as it is sure; its score is their mean.
        ([(0, 0, 10, 10, 0.9, CAT)], [(2, 0, 12, 10, 0.3, CAT)], [(0.5, 0, 10.5, 10, 0.6, CAT)]),
        # What one sees is half as sure.
        ([(0, 0, 10, 10, 0.9, CAT)], [], [(0, 0, 10, 10, 0.45, CAT)]),
        # Another class, or another place, is another object; the surest comes first.
        (
            [(0, 0, 10, 10, 0.4, CAT)],
            [(0, 0, 10, 10, 0.8, DOG), (20, 0, 30, 10, 0.6, CAT)],
            [(0, 0, 10, 10, 0.4, DOG), (20, 0, 30, 10, 0.3, CAT), (0, 0, 10, 10, 0.2, CAT)],
        ),
        # Two boxes of one detector are two objects, however near: only one of them is what the other one sees.
        (
            [(0, 0, 10, 10, 0.9, CAT), (1, 0, 11, 10, 0.8, CAT)],
            [(0, 0, 10, 10, 0.7, CAT)],
            [(0, 0, 10, 10, 0.8, CAT), (1, 0, 11, 10, 0.4, CAT)],
        ),
    ],
)
def test_fusion(first: list[Row], second: list[Row], expected: list[Row]) -> None:
    fused, wanted = fuse_detections([detections(*first), detections(*second)]), detections(*expected)
    np.testing.assert_allclose(fused.boxes_xyxy, wanted.boxes_xyxy, rtol=1e-5)
    np.testing.assert_allclose(fused.scores, wanted.scores, rtol=1e-5)
    np.testing.assert_array_equal(fused.class_ids, wanted.class_ids)


def test_a_box_joins_the_object_that_it_overlaps_most() -> None:
    first = detections((0, 0, 10, 10, 0.9, CAT), (4, 0, 14, 10, 0.8, CAT))
    second = detections((3, 0, 13, 10, 0.4, CAT))
    fused = fuse_detections([first, second])
    np.testing.assert_allclose(fused.boxes_xyxy, [[4 - 1 / 3, 0, 14 - 1 / 3, 10], [0, 0, 10, 10]], rtol=1e-5)


class Fixed:
    """Finds the same in every image."""

    def __init__(self, found: Detections, names: tuple[str, ...] = NAMES) -> None:
        self.names, self._found = names, found

    def batch(self, images_bgr: object) -> list[Detections]:
        return [self._found for _ in images_bgr]  # type: ignore[attr-defined]


def test_an_ensemble_answers_for_its_members() -> None:
    ensemble = Ensemble([Fixed(detections((0, 0, 10, 10, 0.9, CAT))), Fixed(detections((0, 0, 10, 10, 0.7, CAT)))])
    assert ensemble.names == NAMES
    found = ensemble.batch([np.zeros((20, 20, 3), np.uint8)] * 2)
    assert [len(one) for one in found] == [1, 1]
    np.testing.assert_allclose(found[1].scores, [0.8], rtol=1e-6)


def test_members_must_have_the_same_classes() -> None:
    with pytest.raises(InputError, match=r"number 1 has 2, first 'cat', but number 2 has 1, first 'cow'"):
        Ensemble([Fixed(detections()), Fixed(Detections.empty(("cow",)), ("cow",))])
