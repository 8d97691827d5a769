"""Inside, distance and passing, worked by hand and against OpenCV."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusedet.deploy.camera.events.geometry import Barrier, Region
from fusedet.deploy.camera.events.places import Line

SIZE = (200, 100)
#: A notch is cut into its upper side.
NOTCHED = ((0.1, 0.2), (0.4, 0.2), (0.5, 0.6), (0.6, 0.2), (0.9, 0.2), (0.9, 0.8), (0.1, 0.8))
#: Along the image's left and lower sides; its corners miss the border by a little.
CORNER = ((0.005, 0.5), (0.5, 0.5), (0.5, 0.995), (0.0, 1.0))


@pytest.mark.parametrize(
    ("point", "inside", "distance"),
    [((40, 50), True, 20), ((100, 50), False, 10 / math.sqrt(5)), ((100, 70), True, 10), ((10, 50), False, 10)],
)
def test_a_polygon_with_a_notch(point: tuple[float, float], inside: bool, distance: float) -> None:
    region = Region(NOTCHED, SIZE)

    assert region.contains(point) == inside
    assert region.distance(point) == pytest.approx(distance)


def test_the_images_border_is_no_border_of_a_zone() -> None:
    region = Region(CORNER, SIZE)

    assert region.contains((0, 100))
    assert region.distance((0, 100)) == pytest.approx(50)
    assert region.distance((60, 100)) == pytest.approx(40)
    everything = Region(((0, 0), (1, 0), (1, 1), (0, 1)), SIZE)
    assert all(everything.contains((x, y)) for x in (0, 100, 200) for y in (0, 50, 100))
    assert everything.distance((0, 0)) == math.inf


@given(st.lists(st.tuples(st.integers(5, 95), st.integers(5, 95)), min_size=3, max_size=8), st.data())
def test_as_opencv_says(corners: list[tuple[int, int]], data: st.DataObject) -> None:
    point = data.draw(st.tuples(st.integers(0, 100), st.integers(0, 100)))
    said = cv2.pointPolygonTest(np.array(corners, np.float32), point, measureDist=True)
    region = Region([(x / 100, y / 100) for x, y in corners], (100, 100))

    assert region.distance(point) == pytest.approx(abs(said), abs=1e-4)
    if abs(said) > 1e-3:  # on the border either is right
        assert region.contains(point) == (said > 0)


@pytest.mark.parametrize(
    ("before", "after", "passed"),
    [
        ((100, 40), (100, 60), 1),  # from above to below a line that goes to the right
        ((100, 60), (100, 40), -1),
        ((40, 0), (160, 99), 1),  # far, in one step
        ((100, 40), (120, 49), 0),
        ((100, 50), (100, 60), 0),  # on the line is to the right of it already
        ((100, 49), (100, 50), 1),
        ((50, 40), (50, 60), 1),  # at its very end
        ((49, 40), (49, 60), 0),  # beside it
        ((151, 40), (151, 60), 0),
        ((0, 50), (200, 50), 0),  # along it
    ],
)
def test_ways_through_a_line(before: tuple[float, float], after: tuple[float, float], passed: int) -> None:
    there, back = Line("l", (0.25, 0.5), (0.75, 0.5)), Line("l", (0.75, 0.5), (0.25, 0.5))

    assert Barrier(there, SIZE).passed(before, after) == passed
    if 50 not in (before[1], after[1]):
        assert Barrier(back, SIZE).passed(before, after) == -passed


def test_distances_to_a_slanted_line_are_those_of_the_image() -> None:
    barrier = Barrier(Line("l", (0, 0), (0.5, 1)), SIZE)  # in pixels the diagonal of a square

    assert barrier.offset((100, 0)) == pytest.approx(-100 / math.sqrt(2))
    assert barrier.offset((0, 100)) == pytest.approx(100 / math.sqrt(2))
    assert barrier.reach == pytest.approx((200 / math.sqrt(2), 100 / math.sqrt(2)))
