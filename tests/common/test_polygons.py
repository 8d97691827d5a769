"""What is no polygon and no line is refused, with a hint, and what is one is not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusedet.common.errors import InputError
from fusedet.common.polygons import Point, check_line, check_polygon

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "needs 3 points or more, but got 0"),
        ([(0, 0), (1, 1)], "needs 3 points or more, but got 2"),
        ([(0, 0), (640, 0), (640, 480)], r"point 2 must be fractions .* got \[640, 0\]; for pixels, divide x by"),
        ([(0, 0), (1, -0.1), (1, 1)], r"point 2 must be fractions .* got \[1, -0.1\]$"),
        ([(0, 0), (1, NAN), (1, 1)], r"point 2 must be fractions .* got \[1, nan\]"),
        ([(0, 0), (INF, 0), (1, 1)], r"point 2 must be fractions .* got \[inf, 0\]"),
        ([(0.5, 0.5)] * 3, "points 1 and 2 are equal"),
        ([(0, 0), (1, 0), (1, 0.0001), (0, 1)], "points 2 and 3 are equal"),
        ([(0, 0), (1, 0), (1, 1), (0, 0)], "points 1 and 4 are equal: .*closes by itself, leave the last one out"),
        ([(0, 0), (0.5, 0.5), (1, 1)], "on a straight line"),
        ([(0.1, 0.3), (0.5, 0.3), (0.9, 0.3)], "on a straight line"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "the side after point 1 crosses the one after point 3"),
        ([(0, 0), (1, 0), (0, 1), (1, 1)], "the side after point 2 crosses the one after point 4"),
        ([(0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)], "the side after point 1 crosses the one after point 3"),  # touches
    ],
)
def test_what_is_no_polygon_is_refused(points: list[Point], message: str) -> None:
    with pytest.raises(InputError, match=f"zone a: points: .*{message}"):
        check_polygon(points, "zone a: points")


@pytest.mark.parametrize(
    "points",
    [
        [(0, 0), (1, 0), (1, 1), (0, 1)],
        [(0, 0), (0, 1), (1, 1), (1, 0)],
        [(0.1, 0.1), (0.9, 0.1), (0.5, 0.2), (0.9, 0.9)],  # a corner that points inwards
        [(0, 0), (0.5, 0), (1, 0), (1, 1)],  # a corner on a side
        [(0, 0.5), (1, 0.5), (1, 0.51)],  # thin
    ],
)
def test_what_is_a_polygon_is_taken(points: list[Point]) -> None:
    check_polygon(points, "zone")


@given(st.lists(st.floats(0, 0.99), min_size=3, max_size=20, unique=True), st.floats(0.05, 0.5))
def test_corners_around_a_middle_never_cross(turns: list[float], radius: float) -> None:
    angles = sorted(round(turn, 2) for turn in turns)
    if len(set(angles)) < 3 or max(b - a for a, b in zip(angles, [*angles[1:], angles[0] + 1], strict=True)) > 0.45:
        return
    check_polygon(
        [(0.5 + radius * math.cos(math.tau * a), 0.5 + radius * math.sin(math.tau * a)) for a in dict.fromkeys(angles)],
        "zone",
    )


def test_what_is_no_line_is_refused() -> None:
    check_line((0, 0), (1, 1), "line a")
    with pytest.raises(InputError, match=r"line a: start and end of a line must differ, but both are \[0.5, 0.5\]"):
        check_line((0.5, 0.5), (0.5, 0.5), "line a")
    with pytest.raises(InputError, match="line a: point 2 must be fractions"):
        check_line((0.5, 0.5), (0.5, 240), "line a")
    with pytest.raises(InputError, match="line a: point 1 must be fractions"):
        check_line((NAN, 0.5), (0.5, 0.5), "line a")
