import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fusedet.deploy.detector.letterbox import letterbox
from fusedet.train.config import AugmentConfig
from fusedet.train.data.transforms import (
    CROWD,
    PAD_VALUE,
    Example,
    augment,
    letterbox_example,
    letterbox_place,
    mixup,
    mosaic_places,
    paste,
    random_affine,
    random_hsv,
    transform_boxes,
)

#: Nothing varies.
STILL = AugmentConfig(mosaic=0, flip=0, hue=0, saturation=0, value=0, translate=0, scale=0)


def example(boxes: list[list[float]], labels: list[int], size_hw: tuple[int, int] = (100, 100)) -> Example:
    image = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)
    weights = np.linspace(0.5, 1, len(labels), dtype=np.float32)
    return Example(image, np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64), weights)


def with_rectangle(size_hw: tuple[int, int], box: tuple[int, int, int, int]) -> Example:
    """Black, with one white filled rectangle, which is the object."""
    image = np.zeros((*size_hw, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    return Example(image, np.array([box], np.float32), np.zeros(1, np.int64), np.ones(1, np.float32))


def bright_box(image: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """xyxy around the pixels that are more than half white, which the grey of the padding is not."""
    rows, columns = (np.flatnonzero((image.max(2) > 127).any(axis)) for axis in (1, 0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def test_identity_changes_nothing() -> None:
    source = example([[1, 2, 30, 40], [0, 0, 100, 100]], [3, 1])
    result = paste([source], [np.eye(3)], (100, 100))
    np.testing.assert_array_equal(result.image, source.image)
    np.testing.assert_array_equal(result.boxes_xyxy, source.boxes_xyxy)
    np.testing.assert_array_equal(result.labels, source.labels)


def test_a_whole_shift_moves_pixels_and_boxes_alike() -> None:
    source = example([[10, 20, 30, 40]], [0])
    result = paste([source], [shift(7, -5)], (100, 100))
    np.testing.assert_array_equal(result.image[:95, 7:], source.image[5:, :93])
    np.testing.assert_array_equal(result.boxes_xyxy, [[17, 15, 37, 35]])
    assert (result.image[95:] == PAD_VALUE).all()
    assert (result.image[:, :7] == PAD_VALUE).all()


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
@settings(max_examples=150, deadline=None)
def test_boxes_stay_on_their_objects(seed: int, data: st.DataObject) -> None:
    """Without rotation and shear the moved box is the moved rectangle, whatever zoom, mirror and shift."""
    height, width = data.draw(st.tuples(st.integers(60, 160), st.integers(60, 160)))
    x, y = data.draw(st.integers(0, width - 30)), data.draw(st.integers(0, height - 30))
    source = with_rectangle((height, width), (x, y, x + data.draw(st.integers(20, 30)), y + 25))
    size = (96, 128)
    config = AugmentConfig(scale=0.5, translate=0.2, flip=0.5, flip_vertical=0.5)
    view = random_affine(size, config, np.random.default_rng(seed))
    result = paste([source], [view @ letterbox_place((height, width), size)], size)
    if len(result.labels):
        np.testing.assert_allclose(
            result.boxes_xyxy[0], bright_box(np.where(result.image == PAD_VALUE, 0, result.image)), atol=1.5
        )


@pytest.mark.parametrize("config", [AugmentConfig(rotate=180, shear=0), AugmentConfig(rotate=30, shear=20)])
def test_a_rotated_box_holds_its_object_tightly(config: AugmentConfig) -> None:
    for seed in range(30):
        view = random_affine((200, 200), config.model_copy(update={"translate": 0.0}), np.random.default_rng(seed))
        source = with_rectangle((200, 200), (80, 90, 120, 115))
        result = paste([source], [view], (200, 200))
        np.testing.assert_allclose(result.boxes_xyxy[0], bright_box(result.image), atol=2)


def test_transform_boxes_by_hand() -> None:
    boxes = np.array([[0, 0, 2, 4], [10, 10, 20, 10]], np.float32)
    quarter_turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])  # (x, y) -> (-y, x)
    np.testing.assert_allclose(transform_boxes(boxes, quarter_turn), [[-4, 0, 0, 2], [-10, 10, -10, 20]])
    half = math.sqrt(0.5)
    eighth_turn = np.array([[half, -half, 0], [half, half, 0], [0, 0, 1]])
    np.testing.assert_allclose(
        transform_boxes(np.array([[-1, -1, 1, 1]], np.float32), eighth_turn),
        [np.array([-1, -1, 1, 1]) * 2 * half],
        rtol=1e-6,
    )
    assert transform_boxes(np.zeros((0, 4), np.float32), eighth_turn).shape == (0, 4)


@pytest.mark.parametrize(
    ("box", "label", "kept"),
    [
        ([-90, 0, 10, 50], 0, True),  # 10 of 100 columns to be seen: just enough
        ([-91, 0, 9, 50], 0, False),
        ([-98, 0, 2, 50], CROWD, True),
        ([-100, 0, 0, 50], CROWD, False),
        ([10, 10, 12, 12], 0, True),
        ([10, 10, 11.9, 30], 0, False),  # narrower than two pixels
        ([10, 10, 11, 30], CROWD, True),
        ([-5, -5, 105, 105], 0, True),
    ],
)
def test_what_can_hardly_be_seen_is_no_example(box: list[float], label: int, kept: bool) -> None:
    result = paste([example([box], [label])], [np.eye(3)], (100, 100))
    assert len(result.labels) == kept
    if kept:
        np.testing.assert_array_equal(result.boxes_xyxy, [np.clip(box, 0, 100).astype(np.float32)])
        assert result.labels.tolist() == [label]


@pytest.mark.parametrize("size", [(320, 320), (192, 320), (320, 192)])
def test_mosaic_puts_four_images_around_a_point(size: tuple[int, int]) -> None:
    shapes = [(100, 200), (320, 100), (64, 64), (500, 400)]
    for seed in range(20):
        places = mosaic_places(shapes, size, np.random.default_rng(seed))
        corners = np.array(
            [
                transform_boxes(np.array([[0, 0, w, h]], np.float32), m)[0]
                for (h, w), m in zip(shapes, places, strict=True)
            ]
        )
        x, y = corners[0, 2], corners[0, 3]
        assert 0 <= x <= size[1]
        assert 0 <= y <= size[0]
        np.testing.assert_allclose(corners[1, [0, 3]], [x, y], atol=1e-3)
        np.testing.assert_allclose(corners[2, [2, 1]], [x, y], atol=1e-3)
        np.testing.assert_allclose(corners[3, [0, 1]], [x, y], atol=1e-3)
        sides = corners[:, 2:] - corners[:, :2]  # width, height: as large as a letterbox makes them
        fits = np.isclose(sides, (size[1], size[0]), atol=1e-3)
        assert fits.any(1).all()
        assert (sides <= np.array([size[1], size[0]]) + 1e-3).all()


def test_tiles_of_a_mosaic_leave_no_gap_between_them() -> None:
    white = replace(example([], []), image=np.full((90, 120, 3), 255, np.uint8))
    for seed in range(20):
        places = mosaic_places([(90, 120)] * 4, (90, 120), np.random.default_rng(seed))
        image = paste([white] * 4, places, (90, 120)).image
        assert (image > 200).mean() > 0.96  # at most a seam of one pixel in each direction


def test_letterbox_is_the_runtimes() -> None:
    source = example([[10, 20, 60, 40], [5, 5, 6, 6]], [1, CROWD], (60, 80))
    result = letterbox_example(source, (96, 160))
    canvas, place = letterbox(source.image, (96, 160), 114)
    np.testing.assert_array_equal(result.image, canvas)
    np.testing.assert_array_equal(result.boxes_xyxy, place.to_input(source.boxes_xyxy))
    np.testing.assert_array_equal(result.labels, [1, CROWD])


@pytest.mark.parametrize("mosaic", [True, False])
def test_without_any_variation_a_image_is_letterboxed(mosaic: bool) -> None:
    source = example([[10, 20, 60, 40]], [1], (60, 80))
    result = augment([source], 0, (96, 160), STILL, mosaic, np.random.default_rng(0))
    np.testing.assert_array_equal(result.image, letterbox_example(source, (96, 160)).image)


def test_letterbox_place_agrees_with_the_letterbox() -> None:
    boxes = np.array([[0, 0, 80, 60], [10, 20, 60, 40]], np.float32)
    place = letterbox(np.zeros((60, 80, 3), np.uint8), (96, 160), 114)[1]
    np.testing.assert_allclose(transform_boxes(boxes, letterbox_place((60, 80), (96, 160))), place.to_input(boxes))


@pytest.mark.parametrize(("flip", "flip_vertical"), [(1, 0), (0, 1), (1, 1)])
def test_mirrors_are_exact(flip: float, flip_vertical: float) -> None:
    source = example([[10, 20, 60, 40]], [1], (64, 96))
    config = STILL.model_copy(update={"flip": flip, "flip_vertical": flip_vertical})
    result = augment([source], 0, (64, 96), config, False, np.random.default_rng(0))
    expected = source.image[:: -1 if flip_vertical else 1, :: -1 if flip else 1]
    np.testing.assert_array_equal(result.image, expected)
    x1, x2 = (36, 86) if flip else (10, 60)
    y1, y2 = (24, 44) if flip_vertical else (20, 40)
    np.testing.assert_allclose(result.boxes_xyxy, [[x1, y1, x2, y2]], atol=1e-4)


def test_probabilities_and_ranges_of_the_affine_map() -> None:
    config = AugmentConfig(scale=0.3, translate=0.1, flip=0.25, flip_vertical=0.0)
    views = np.array([random_affine((100, 200), config, np.random.default_rng(seed)) for seed in range(2000)])
    zoom = np.abs(views[:, 0, 0])
    assert 0.7 <= zoom.min() < 0.72
    assert 1.28 < zoom.max() <= 1.3
    assert np.mean(views[:, 0, 0] < 0) == pytest.approx(0.25, abs=0.03)
    assert (views[:, 1, 1] > 0).all()
    middle = views[:, :2, :2] @ (100, 50) + views[:, :2, 2]
    assert np.abs(middle - (100, 50)).max(0) == pytest.approx([20, 10], abs=0.5)


def test_hsv_shifts_the_hue() -> None:
    red = np.full((4, 4, 3), (0, 0, 200), np.uint8)
    config = STILL.model_copy(update={"hue": 0.5})
    blues = [random_hsv(red, config, np.random.default_rng(seed))[0, 0] for seed in range(50)]
    assert any(blue[0] > blue[2] for blue in blues)
    assert all(blue.max() == 200 and blue.min() == 0 for blue in blues)  # brightness and saturation stay


def test_hsv_scales_the_brightness_and_leaves_its_input_alone() -> None:
    grey = np.full((4, 4, 3), 100, np.uint8)
    config = STILL.model_copy(update={"value": 0.4})
    levels = [int(random_hsv(grey, config, np.random.default_rng(seed))[0, 0, 0]) for seed in range(200)]
    assert 59 <= min(levels) < 65
    assert 135 < max(levels) <= 140
    assert (grey == 100).all()


def test_mixup_blends_and_keeps_all_objects() -> None:
    first, second = example([[0, 0, 10, 10]], [1]), example([[5, 5, 50, 50], [1, 1, 9, 9]], [2, CROWD])
    black = replace(first, image=np.zeros((100, 100, 3), np.uint8))
    white = replace(second, image=np.full((100, 100, 3), 255, np.uint8))
    result = mixup(black, white, np.random.default_rng(0))
    assert 70 < result.image.mean() < 185
    np.testing.assert_array_equal(result.labels, [1, 2, CROWD])
    np.testing.assert_array_equal(result.boxes_xyxy, np.concatenate([first.boxes_xyxy, second.boxes_xyxy]))
    np.testing.assert_array_equal(result.weights, [0.5, 0.5, 1])


@pytest.mark.parametrize("mosaic", [True, False])
def test_weights_go_with_their_objects(mosaic: bool) -> None:
    """Each object's weight tells its label, through every variation and whatever is left out."""
    boxes = [[5, 5, 30, 30], [60, 60, 95, 95], [0, 50, 20, 99]]
    examples = [example(boxes, [3 * i, 3 * i + 1, 3 * i + 2]) for i in range(4)]
    examples = [replace(one, weights=one.labels.astype(np.float32)) for one in examples]
    config = AugmentConfig(mixup=0.5, rotate=20)
    seen = set()
    for seed in range(20):
        result = augment(examples, seed % 4, (96, 96), config, mosaic, np.random.default_rng(seed))
        np.testing.assert_array_equal(result.weights, result.labels)
        assert result.weights.dtype == np.float32
        seen.update(result.labels.tolist())
    assert seen == set(range(12))


@pytest.mark.parametrize("size", [(96, 96), (64, 128)])
@pytest.mark.parametrize("mosaic", [True, False])
def test_augment_keeps_its_promises(size: tuple[int, int], mosaic: bool) -> None:
    config = AugmentConfig(mosaic=0.7, mixup=0.5, rotate=20, shear=5, flip_vertical=0.5)
    examples = [example([[10, 10, 40, 40], [0, 0, 64, 50]], [i, CROWD], (50 + i, 64)) for i in range(4)]
    examples.append(example([], [], (30, 30)))
    before = [one.image.copy() for one in examples]
    for seed in range(40):
        result = augment(examples, seed % 5, size, config, mosaic, np.random.default_rng(seed))
        again = augment(examples, seed % 5, size, config, mosaic, np.random.default_rng(seed))
        assert result.image.shape == (*size, 3)
        assert result.image.dtype == np.uint8
        assert result.boxes_xyxy.dtype == np.float32
        assert result.labels.dtype == np.int64
        assert (result.boxes_xyxy[:, 2:] > result.boxes_xyxy[:, :2]).all()
        assert (result.boxes_xyxy >= 0).all()
        assert (result.boxes_xyxy <= (size[1], size[0], size[1], size[0])).all()
        np.testing.assert_array_equal(result.image, again.image)
        np.testing.assert_array_equal(result.boxes_xyxy, again.boxes_xyxy)
        assert mosaic or len(result.labels) <= 2  # no partner without mosaic
    for one, image in zip(examples, before, strict=True):
        np.testing.assert_array_equal(one.image, image)


def test_a_mosaic_shows_several_images() -> None:
    config = STILL.model_copy(update={"mosaic": 1.0})
    plain = [replace(example([[0, 0, 64, 64]], [i]), image=np.full((64, 64, 3), 20 * i, np.uint8)) for i in range(8)]
    shown = [
        set(augment(plain, 3, (64, 64), config, True, np.random.default_rng(s)).labels.tolist()) for s in range(20)
    ]
    assert max(map(len, shown)) >= 3
    assert sum(3 in labels for labels in shown) >= 15  # its own image, unless it lies outside
