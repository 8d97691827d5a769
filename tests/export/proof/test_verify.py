"""The comparison must pass what is the same and stop what is not, and can never pass on nothing."""

import math
from functools import partial

import numpy as np
import pytest

from fusedet.export.errors import ExportError
from fusedet.export.proof.verify import Tolerance, compare
from tests.detections import detections_of

NAMES = ("cat", "dog")
POINTS = 84  # of 64 x 64 pixels: 64 + 16 + 4
BETWEEN = ("torch", "plain")
UNCUT = Tolerance(adaptive=False, tie=-math.inf)


outputs = partial(detections_of, NAMES)


def agreement(first, second, tolerance=None):
    return compare(BETWEEN, {"street": first}, {"street": second}, tolerance, points=POINTS)


CAT = (10, 10, 30, 40, 0.9, 0)
DOG = (12, 20, 50, 60, 0.5, 1)
LOW = (0, 0, 9, 9, 0.01, 0)


def changed(row, position, by):
    row = list(row)
    row[position] += by
    return tuple(row)


def test_equal_outputs_agree():
    found = agreement(outputs(CAT, DOG, LOW), outputs(CAT, DOG, LOW))

    assert (found.compared, found.tied, found.score, found.side_px, found.iou) == (2, 0, 0.0, 0.0, 1.0)
    assert str(found) == (
        "torch = plain: 2 boxes on 1 images, largest difference 0.0e+00 in score, 0.0e+00 px in position"
    )


def test_figures_are_those_of_the_worst_pair():
    moved = changed(changed(CAT, 2, 0.125), 4, 0.0005)  # 20x30 against 20.125x30: IoU 160/161

    found = agreement(outputs(CAT, DOG), outputs(moved, DOG))

    assert found.score == pytest.approx(0.0005, abs=1e-6)
    assert found.side_px == 0.125
    assert found.iou == pytest.approx(160 / 161)


def test_near_equal_scores_may_change_places():
    near = changed(DOG, 4, 0.3999)

    assert agreement(outputs(CAT, near), outputs(near, CAT)).compared == 2


def test_two_detections_that_are_alike_need_two_counterparts():
    assert agreement(outputs(CAT, CAT), outputs(CAT, CAT)).compared == 2
    with pytest.raises(ExportError, match=r"torch finds cat with score 0.9000"):
        agreement(outputs(CAT, CAT), outputs(CAT, DOG))


@pytest.mark.parametrize(
    ("position", "by", "message"),
    [
        (
            4,
            -0.0011,
            r"torch finds cat with score 0.9000 at \[10.0, 10.0, 30.0, 40.0\], plain does not; .* score 0.8989",
        ),
        (2, 0.25, ".*nearest of that class: score 0.9000, IoU 0.988"),
        (5, 1, "torch finds cat .*, plain does not"),
    ],
    ids=["score", "box", "class"],
)
def test_a_detection_without_counterpart_is_named(position, by, message):
    with pytest.raises(ExportError, match=f"^street: {message}"):
        agreement(outputs(CAT, DOG), outputs(changed(CAT, position, by), DOG))


def test_a_surplus_detection_is_found_as_well():
    with pytest.raises(ExportError, match=r"^street: plain finds dog .*, torch does not; nearest of that class: none"):
        agreement(outputs(CAT, LOW), outputs(CAT, DOG))


def test_scores_may_straddle_the_threshold():
    above, below = (0, 0, 20, 20, 0.1, 0), (0, 0, 20, 20, 0.0999, 0)

    assert agreement(outputs(CAT, above), outputs(CAT, below)).compared == 2
    assert agreement(outputs(CAT, below), outputs(CAT, above)).compared == 2


def test_what_is_below_the_threshold_does_not_count():
    assert agreement(outputs(CAT, LOW), outputs(CAT, changed(LOW, 0, 5))).compared == 1


def test_low_scores_are_compared_where_there_are_no_others():
    rows = [(i, i, i + 9, i + 9, 0.05 - i / 1000, 0) for i in range(10)]

    assert agreement(outputs(*rows), outputs(*rows)).compared == 5
    with pytest.raises(ExportError, match=r"torch finds cat with score 0.0480"):
        agreement(outputs(*rows), outputs(*rows[:2], changed(rows[2], 1, 1), *rows[3:]))
    with pytest.raises(ExportError, match=r"plain finds cat with score 0.9000"):
        agreement(outputs(*rows), outputs(CAT, *rows))


def test_the_last_of_the_list_may_differ_by_a_hair():
    ending, other = (0, 0, 9, 9, 0.3, 0), (40, 40, 60, 60, 0.3, 1)

    assert agreement(outputs(CAT, DOG, ending), outputs(CAT, DOG, other)).tied == 2
    with pytest.raises(ExportError, match=r"torch finds cat with score 0.3010"):
        agreement(outputs(CAT, DOG, changed(ending, 4, 0.001)), outputs(CAT, DOG, other))


def test_an_image_without_anything_above_the_threshold_can_count_for_nothing():
    strict = Tolerance(adaptive=False)
    low = [(i, i, i + 9, i + 9, 0.05 - i / 1000, 0) for i in range(10)]
    first = {"empty": outputs(*low), "street": outputs(CAT)}
    second = {"empty": outputs(*low[:2], changed(low[2], 1, 1), *low[3:]), "street": outputs(CAT)}

    assert compare(BETWEEN, first, second, strict).compared == 1
    with pytest.raises(ExportError, match=r"learned too little to compare .* on 1 image: "):
        agreement(outputs(*low), outputs(*low), strict)


def test_all_that_is_missing_can_be_counted():
    first = {"street": outputs(CAT, DOG), "park": outputs(CAT), "yard": outputs(CAT, DOG)}
    second = {"street": outputs(CAT), "park": outputs(changed(CAT, 4, 0.0005)), "yard": outputs(DOG)}

    result = compare(BETWEEN, first, second, UNCUT, strict=False)

    assert (result.compared, [missing.image for missing in result.missing]) == (3, ["street", "yard"])
    assert result.matched_share == 6 / 8
    assert str(result.missing[0]) == (
        "street: torch finds dog with score 0.5000 at [12.0, 20.0, 50.0, 60.0], plain does not; "
        "nearest of that class: none"
    )
    assert result.worst == "street"


def test_the_worst_image_is_that_of_the_largest_gap_where_nothing_is_missing():
    first = {"street": outputs(CAT), "park": outputs(CAT)}
    second = {"street": outputs(CAT), "park": outputs(changed(CAT, 4, 0.0005))}

    result = compare(BETWEEN, first, second, strict=False)

    assert (result.worst, result.matched_share) == ("park", 1.0)


def test_nothing_in_common_is_a_share_of_nothing():
    for other in (outputs(DOG), outputs()):
        result = compare(BETWEEN, {"street": outputs(CAT)}, {"street": other}, UNCUT, strict=False)
        assert (result.compared, result.matched_share) == (0, 0.0)
        assert len(result.missing) == 1 + len(other.scores)


def test_nothing_is_tied_when_all_anchor_points_are_kept():
    rows = [CAT] * 20

    with pytest.raises(ExportError, match=r"torch finds cat with score 0.9000 at .*0.0, 0.0, 9.0"):
        compare(
            BETWEEN, {"p": outputs(*rows, (0, 0, 9, 9, 0.9, 0))}, {"p": outputs(*rows, changed(DOG, 4, 0.4))}, points=21
        )


def test_nothing_but_ties_proves_nothing():
    rows = [(i, i, i + 9, i + 9, 0.2, 0) for i in range(5)]
    others = [(i, i, i + 9, i + 9, 0.2, 1) for i in range(5)]

    with pytest.raises(ExportError, match=r"learned too little to compare torch and plain on 1 image: "):
        agreement(outputs(*rows), outputs(*others))


def test_boxes_without_area_are_compared_by_their_sides():
    flat = (500, 500, -500, -500, 0.9, 0)

    assert agreement(outputs(flat), outputs(changed(flat, 0, 0.02))).compared == 1
    with pytest.raises(ExportError, match="torch finds cat"):
        agreement(outputs(flat, LOW), outputs(changed(flat, 0, 0.2), LOW))


@pytest.mark.parametrize("position", [0, 4])
def test_numbers_that_are_not_finite_are_found(position):
    with pytest.raises(ExportError, match=r"^street: plain gives boxes or scores that are not finite numbers"):
        agreement(outputs(CAT), outputs(changed(CAT, position, np.nan)))


def test_tolerances_are_settings():
    worse = changed(CAT, 4, -0.05)

    assert agreement(outputs(CAT), outputs(worse), Tolerance(score=1.0)).compared == 1
