"""Which detections of two runs belong together, and which have no counterpart."""

from functools import partial

import pytest

from fusedet.deploy.detector.compare import pair_detections
from tests.detections import detections_of

CAT = (10, 10, 30, 40, 0.9, 0)
LIMITS = {"score": 0.02, "iou": 0.95}


boxes = partial(detections_of, ("cat", "dog"))


@pytest.mark.parametrize(
    ("first", "second", "pairs", "unmatched"),
    [
        ([], [], 0, ((), ())),
        ([CAT], [CAT], 1, ((), ())),
        ([CAT], [], 0, ((0,), ())),
        ([], [CAT], 0, ((), (0,))),
        ([CAT, CAT], [CAT], 1, ((1,), ())),
        ([CAT], [(10, 10, 30, 40, 0.9, 1)], 0, ((0,), (0,))),
        ([CAT], [(10, 10, 30, 40, 0.87, 0)], 0, ((0,), (0,))),
        ([(0, 0, 9, 9, 0.2, 0)], [(0, 0, 9, 9, 0.2, 1)], 0, ((), ())),
        ([(0, 0, 9, 9, 0.26, 0)], [(0, 0, 9, 9, 0.245, 0)], 1, ((), ())),
    ],
    ids=["nothing", "same", "missing", "surplus", "one for two", "class", "score", "below", "straddles"],
)
def test_pairs(first, second, pairs, unmatched):
    pairing = pair_detections(boxes(*first), boxes(*second), thresholds=(0.25, 0.25), **LIMITS)

    assert (len(pairing.pairs), pairing.unmatched) == (pairs, unmatched)


def test_of_several_counterparts_the_nearest_is_taken():
    near, nearer = (10, 10, 30.4, 40, 0.9, 0), (10, 10, 30.2, 40, 0.9, 0)

    (pair,) = pair_detections(boxes(CAT), boxes(near, nearer), thresholds=(0.25, 1.0), **LIMITS).pairs

    assert (pair.first, pair.second) == (0, 1)
    assert pair.side_px == pytest.approx(0.2, abs=1e-5)
    assert pair.iou == pytest.approx(600 / 606, abs=1e-5)
