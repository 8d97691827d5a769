"""The box around a segmentation, against masks drawn pixel by pixel and the reference of COCO's runs."""

from typing import Any

import numpy as np
import pytest
from faster_coco_eval.core import mask as reference

from fusedet.train.data.masks import box_of_segmentation, mask_of_another_shape


def runs_of(mask: np.ndarray) -> list[int]:
    """Lengths of the runs down the columns, the first without the object."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat, prepend=0))
    return np.diff(np.concatenate(([0], edges, [len(flat)]))).tolist()


def random_mask(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(1, 40, 2))
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        y, x = int(rng.integers(0, height)), int(rng.integers(0, width))
        mask[y : y + int(rng.integers(1, 30)), x : x + int(rng.integers(1, 30))] = 1
    return mask


@pytest.mark.parametrize("seed", range(30))
def test_a_mask_has_the_box_of_its_pixels_compressed_or_not(seed: int) -> None:
    mask = random_mask(seed)
    ys, xs = np.nonzero(mask)
    box = [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
    size = list(mask.shape)
    assert box_of_segmentation({"size": size, "counts": runs_of(mask)}, None) == box
    compressed = reference.encode(np.asfortranarray(mask))["counts"]
    text = compressed.decode() if isinstance(compressed, bytes) else compressed
    assert box_of_segmentation({"size": size, "counts": text}, mask.shape[::-1]) == box


@pytest.mark.parametrize("in_a_list", [False, True])
@pytest.mark.parametrize(("size_wh", "box"), [((20, 10), [5, 2, 5, 4]), ((60, 30), [15, 6, 15, 12])])
def test_a_mask_of_another_size_is_scaled(size_wh: tuple[int, int], box: list[int], in_a_list: bool) -> None:
    pixels = np.zeros((10, 20), np.uint8)
    pixels[2:6, 5:10] = 1
    mask = {"size": [10, 20], "counts": runs_of(pixels)}
    assert box_of_segmentation([mask] if in_a_list else mask, size_wh) == box


@pytest.mark.parametrize(
    ("polygons", "box"),
    [
        ([[10, 10, 40, 12, 30, 50]], [10, 10, 30, 40]),
        ([10, 10, 40, 12, 30, 50], [10, 10, 30, 40]),
        ([[[10, 10], [40, 12], [30, 50]]], [10, 10, 30, 40]),
        ([[10, 10], [40, 12], [30, 50]], [10, 10, 30, 40]),
        ([[10, 10, 20, 10, 20, 20], [30, 5, 40, 5, 40, 50.5]], [10, 5, 30, 45.5]),
    ],
)
def test_polygons_have_the_box_of_their_points(polygons: Any, box: list[float]) -> None:
    assert box_of_segmentation(polygons, (100, 100)) == box


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_whose_sides_are_swapped_has_the_box_of_its_pixels_by_columns_or_by_rows(seed: int) -> None:
    mask = np.zeros((60, 100), np.uint8)
    x, y, width, height = np.random.default_rng(seed).integers((2, 2, 5, 5), (60, 30, 39, 29)).tolist()
    mask[y : y + height, x : x + width] = 1
    for runs in (runs_of(mask), runs_of(mask.T)):
        assert box_of_segmentation({"size": [100, 60], "counts": runs}, (100, 60)) == [x, y, width, height]
        assert mask_of_another_shape({"size": [100, 60], "counts": runs}, (100, 60)) == (100, 60)


def test_a_mask_of_another_shape_has_no_box_in_the_image() -> None:
    mask = np.ones((64, 64), np.uint8)
    assert box_of_segmentation({"size": [64, 64], "counts": runs_of(mask)}, (100, 60)) is None


def test_runs_that_were_written_as_the_text_of_bytes_are_read() -> None:
    mask = random_mask(3)
    encoded = reference.encode(np.asfortranarray(mask))["counts"]
    encoded = encoded.encode() if isinstance(encoded, str) else encoded
    size = list(mask.shape)
    as_text = box_of_segmentation({"size": size, "counts": str(encoded)}, None)
    assert as_text == box_of_segmentation({"size": size, "counts": runs_of(mask)}, None)


@pytest.mark.parametrize(
    "segmentation",
    [
        *(None, [], {}, "x", 5, [[1, 2, 3]], [[1, 2, 3, 4, 5, "6"]], [[1, 2, 3, 4, 5, float("nan")]]),
        {"size": [4, 4], "counts": [16]},
        {"size": [4, 4], "counts": [4, 4]},
        {"size": [4, 4], "counts": [4, -4, 16]},
        {"size": [4], "counts": [16]},
        {"size": [0, 0], "counts": []},
        {"size": [4, 4], "counts": [1e400]},
        {"size": [4, 4], "counts": [True, 15]},
        {"size": [4, 4], "counts": "é"},
        {"size": [4, 4], "counts": "PPP"},
        {"size": [4, 4], "counts": "oooooooooooooooooooooooo0"},
        {"counts": "52203"},
        {"size": [4, 4]},
    ],
)
def test_what_is_no_segmentation_has_no_box(segmentation: Any) -> None:
    assert box_of_segmentation(segmentation, (4, 4)) is None


def test_polygons_in_parts_of_the_image_are_boxes_in_pixels() -> None:
    assert box_of_segmentation([[0.25, 0.5, 0.75, 0.5, 0.75, 1]], (80, 60)) == [20, 30, 40, 30]
    assert box_of_segmentation([[0, 0, 1, 0, 1, 1]], (80, 60)) == [0, 0, 1, 1], "one pixel, as it may be"
