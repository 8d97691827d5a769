import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusedet.deploy import Detections
from fusedet.deploy.drawing.draw import class_color, draw_detections

NAMES = ("cat", "a very long name of a class that is wider than the image", "Straße 猫", "", "\ud800\0")


def detections(boxes: list[tuple[float, ...]], class_ids: list[int]) -> Detections:
    scores = np.linspace(0.9, 0.1, len(boxes), dtype=np.float32)
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), scores, np.array(class_ids, np.int64), NAMES)


def test_the_image_itself_is_left_alone() -> None:
    image = np.full((100, 120, 3), 60, np.uint8)
    drawn = draw_detections(image, detections([(30, 30, 90, 80)], [0]))
    assert drawn.shape == image.shape
    assert (image == 60).all()
    assert (drawn != 60).any()


def test_nothing_found_is_a_plain_copy() -> None:
    image = np.full((100, 120, 3), 60, np.uint8)
    drawn = draw_detections(image, detections([], []))
    np.testing.assert_array_equal(drawn, image)
    assert not np.shares_memory(drawn, image)


def test_the_box_has_its_classs_color_on_its_four_sides() -> None:
    drawn = draw_detections(np.zeros((200, 200, 3), np.uint8), detections([(50, 60, 150, 160)], [0]))
    for y, x in ((60, 140), (159, 140), (110, 50), (110, 149)):
        assert np.abs(drawn[y, x].astype(int) - class_color(0)).max() < 40, (y, x)
    assert (drawn[70:150, 60:140] == 0).all()
    assert (drawn[170:] == 0).all()


def test_a_box_as_large_as_the_image_is_visible() -> None:
    drawn = draw_detections(np.zeros((200, 200, 3), np.uint8), detections([(0, 0, 200, 200)], [0]))
    for y, x in ((100, 0), (100, 199), (199, 100)):
        assert np.abs(drawn[y, x].astype(int) - class_color(0)).max() < 60, (y, x)


def test_lines_grow_with_the_image() -> None:
    small = draw_detections(np.zeros((200, 200, 3), np.uint8), detections([(50, 60, 150, 160)], [0]))
    large = draw_detections(np.zeros((2000, 2000, 3), np.uint8), detections([(500, 600, 1500, 1600)], [0]))
    assert np.count_nonzero(large[1100, :1000].any(axis=1)) > 3 * np.count_nonzero(small[110, :100].any(axis=1))


def test_colors_are_stable_and_distinct() -> None:
    assert class_color(0) == class_color(0)
    colors = np.array([class_color(i) for i in range(20)])
    distances = np.abs(colors[:, None] - colors).sum(axis=2) + 999 * np.eye(20, dtype=int)
    assert distances.min() > 50
    assert colors.min() >= 0
    assert colors.max() <= 255


def test_labels_of_two_boxes_do_not_cover_each_other() -> None:
    box = (60.0, 100.0, 160.0, 160.0)
    one = draw_detections(np.zeros((300, 300, 3), np.uint8), detections([box], [0]))
    two = draw_detections(np.zeros((300, 300, 3), np.uint8), detections([box, (*box[:2], 162, 162)], [0, 0]))
    plate = (one == class_color(0)).all(axis=2)
    plates = (two == class_color(0)).all(axis=2)
    assert np.count_nonzero(plates) > 1.6 * np.count_nonzero(plate)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    sides=st.lists(st.tuples(*[st.floats(-200, 300)] * 4), max_size=5),
    class_id=st.integers(0, 4),
)
def test_never_fails(size: tuple[int, int], sides: list[tuple[float, ...]], class_id: int) -> None:
    image = np.zeros((*size, 3), np.uint8)
    assert draw_detections(image, detections(sides, [class_id] * len(sides))).shape == image.shape


@pytest.mark.parametrize("step", [(slice(None), slice(None, None, -1)), (slice(None, None, 2), slice(3, 50))])
def test_views_are_drawn_like_copies(step: tuple[slice, slice]) -> None:
    view = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)[step]
    found = detections([(5, 20, 30, 28)], [0])
    np.testing.assert_array_equal(draw_detections(view, found), draw_detections(view.copy(), found))
