import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusedet.configs import InputError
from fusedet.deploy import letterbox, to_blob
from fusedet.deploy.detector.letterbox import check_image


@pytest.mark.parametrize(
    ("image_hw", "input_hw", "resized_hw", "left", "top"),
    [
        ((480, 640), (320, 320), (240, 320), 0, 40),  # landscape
        ((640, 480), (320, 320), (320, 240), 40, 0),  # portrait
        ((500, 500), (320, 320), (320, 320), 0, 0),  # square
        ((320, 320), (320, 320), (320, 320), 0, 0),  # nothing to do
        ((100, 50), (320, 320), (320, 160), 80, 0),  # enlarged
        ((480, 640), (256, 416), (256, 341), 37, 0),  # a rectangular input: 341.33 px, 75 px over, 37 left and 38 right
        ((1, 1), (320, 320), (320, 320), 0, 0),  # one pixel
        ((1, 1000), (320, 320), (1, 320), 0, 159),  # 0.32 px would be nothing
        ((1000, 1), (320, 320), (320, 1), 159, 0),
        ((333, 500), (320, 320), (213, 320), 0, 53),  # 213.12 px
    ],
)
def test_the_image_lies_where_it_should(
    image_hw: tuple[int, int], input_hw: tuple[int, int], resized_hw: tuple[int, int], left: int, top: int
) -> None:
    image = np.full((*image_hw, 3), 255, np.uint8)
    canvas, place = letterbox(image, input_hw, 114)
    assert canvas.shape == (*input_hw, 3)
    assert canvas.dtype == np.uint8
    assert (place.resized, place.left, place.top) == (resized_hw, left, top)
    assert (place.height, place.width) == image_hw
    expected = np.full((*input_hw, 3), 114, np.uint8)
    expected[top : top + resized_hw[0], left : left + resized_hw[1]] = 255
    np.testing.assert_array_equal(canvas, expected)


def test_boxes_outside_the_image_are_clipped() -> None:
    _, place = letterbox(np.zeros((480, 640, 3), np.uint8), (320, 320), 114)
    boxes = place.to_image([[-10, 0, 400, 320], [10, 50, 20, 60]])
    np.testing.assert_allclose(boxes, [[0, 0, 640, 480], [20, 20, 40, 40]], atol=1e-4)


def test_no_boxes_stay_no_boxes() -> None:
    _, place = letterbox(np.zeros((48, 64, 3), np.uint8), (32, 32), 114)
    assert place.to_image(np.zeros((0, 4))).shape == (0, 4)
    assert place.to_input(np.zeros((0, 4))).shape == (0, 4)


@given(
    image=st.tuples(st.integers(1, 900), st.integers(1, 900)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    fractions=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_round_trip(image: tuple[int, int], size: tuple[int, int], fractions: tuple[float, ...]) -> None:
    height, width = image
    _, place = letterbox(np.zeros((height, width, 3), np.uint8), (size[0] * 32, size[1] * 32), 114)
    boxes = np.array([fractions]) * (width, height, width, height)
    assert np.abs(place.to_image(place.to_input(boxes)) - boxes).max() < 1e-3


def test_resizing_gives_the_same_bits_everywhere() -> None:
    image = np.fromfunction(lambda y, x, c: (7 * y * y + 13 * x + 31 * c) % 256, (37, 53, 3)).astype(np.uint8)
    smaller, larger = (zlib.crc32(letterbox(image, size, 114)[0].tobytes()) for size in ((32, 32), (96, 64)))
    assert (smaller, larger) == (3196243137, 506026338)


def test_same_size_keeps_every_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    canvas, _ = letterbox(image, (32, 48), 114)
    np.testing.assert_array_equal(canvas, image)
    assert not np.shares_memory(canvas, image)


def test_views_are_read_like_copies() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for view in (image[:, ::-1], image[::2, ::3], image[..., ::-1], image[5:20, 7:50]):
        np.testing.assert_array_equal(letterbox(view, (32, 32), 0)[0], letterbox(view.copy(), (32, 32), 0)[0])


@pytest.mark.parametrize(
    ("image", "came"),
    [
        (None, "None, as cv2.imread gives for no image"),
        ([[1]], "list"),
        (np.zeros((4, 4), np.uint8), r"uint8 \[4, 4\]"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \[4, 4, 4\]"),
        (np.zeros((4, 4, 3), np.float32), r"float32 \[4, 4, 3\]"),
        (np.zeros((4, 4, 3), np.int64), r"int64 \[4, 4, 3\]"),
        (np.zeros((0, 4, 3), np.uint8), r"uint8 \[0, 4, 3\]"),
    ],
)
def test_wrong_images_are_named(image: Any, came: str) -> None:
    with pytest.raises(ValueError, match=rf"uint8 \[H, W, 3\] in BGR, but got {came}$"):
        check_image(image)
    with pytest.raises(ValueError, match=came):
        letterbox(image, (32, 32), 114)


def test_uint8_blob_is_the_canvas() -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    np.testing.assert_array_equal(to_blob([canvas], "uint8_nhwc_bgr"), canvas[None])
    assert to_blob([canvas, canvas], "uint8_nhwc_bgr").shape == (2, 32, 48, 3)


def test_float_blob_is_rgb_planes_in_0_to_1() -> None:
    canvas = np.zeros((2, 3, 3), np.uint8)
    canvas[0, 1] = (51, 102, 255)  # blue, green, red
    blob = to_blob([canvas, canvas], "float32_nchw_rgb")
    assert blob.shape == (2, 3, 2, 3)
    assert blob.dtype == np.float32
    assert blob.flags.c_contiguous
    np.testing.assert_array_equal(blob[1, :, 0, 1], np.array([1.0, 0.4, 0.2], np.float32))
    assert blob.sum() == pytest.approx(2 * 1.6)


def test_unknown_format_lists_the_choices() -> None:
    with pytest.raises(InputError, match="one of uint8_nhwc_bgr, float32_nchw_rgb, but got 'rgb'"):
        to_blob([np.zeros((2, 2, 3), np.uint8)], "rgb")
