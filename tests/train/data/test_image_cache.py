from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.train.data import image_cache as cache
from fusedet.train.data.coco import CocoDataset, Sample
from fusedet.train.data.image_cache import CacheMode, ImageStore, load_at_size, load_image, training_size
from tests.train.data.doctor.drawing import add_exif

NOTHING = (np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_), *[np.zeros(0, np.float32)] * 2)


def sample(path: Path, width: int, height: int) -> Sample:
    return Sample(1, path, width, height, *NOTHING)


def image(path: Path, width: int, height: int) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    cv2.imwrite(str(path), pixels)
    return path


@pytest.mark.parametrize(
    ("width", "height", "input_size", "expected"),
    [
        (640, 480, (320, 320), (240, 320)),
        (480, 640, (320, 320), (320, 240)),
        (100, 50, (320, 320), (50, 100)),  # not enlarged
        (640, 480, (192, 320), (192, 256)),
        (333, 222, (320, 320), (213, 320)),
        (5000, 3, (320, 320), (1, 320)),
    ],
)
def test_training_size(width: int, height: int, input_size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert training_size(sample(Path(), width, height), input_size) == expected


@pytest.mark.parametrize("mode", ["memory", "none", "auto"])
def test_a_store_gives_the_same_images_in_every_mode(drawn: CocoDataset, mode: CacheMode) -> None:
    sizes = [(32, 48) if i % 2 else (64, 96) for i in range(len(drawn.samples))]
    done: list[tuple[int, int]] = []
    store = ImageStore(drawn.samples, sizes, mode, progress=lambda *figures: done.append(figures))
    assert store.in_memory == (mode != "none")
    assert done == [(i, 6) for i in range(1, 7)]
    assert len(store) == 6
    for i, (one, size) in enumerate(zip(drawn.samples, sizes, strict=True)):
        whole = cv2.imread(str(one.path))
        assert store[i].shape == (*size, 3)
        np.testing.assert_array_equal(store[i], cv2.resize(whole, size[::-1], interpolation=cv2.INTER_LINEAR_EXACT))


def test_kept_images_lie_in_one_buffer_and_need_no_file(drawn: CocoDataset) -> None:
    store = ImageStore(drawn.samples, [(64, 96)] * 6, "memory")
    for one in drawn.samples:
        one.path.unlink()
    assert store[0].base is not None
    assert store[0].base is store[5].base
    assert store[5].mean() > 50


@pytest.mark.parametrize("mode", ["memory", "none"])
@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0 half a JPEG"])
def test_a_damaged_image_is_named_before_it_is_needed(drawn: CocoDataset, mode: CacheMode, content: bytes) -> None:
    bad = drawn.samples[4].path
    bad.write_bytes(content)
    with pytest.raises(InputError, match=r"train-5\.png: not an image"):
        ImageStore(drawn.samples, [(64, 96)] * 6, mode)


@pytest.mark.parametrize(
    ("said", "told"), [((100, 60), "100x80 pixels, but the annotations say 100x60$"), ((80, 100), "EXIF")]
)
def test_a_file_of_other_proportions_is_an_error(tmp_path: Path, said: tuple[int, int], told: str) -> None:
    """Swapped sides point at the orientation."""
    with pytest.raises(InputError, match=told):
        load_image(sample(image(tmp_path / "a.png", 100, 80), *said))


@pytest.mark.parametrize(("width", "height"), [(100, 75), (400, 300), (41, 31), (33, 25)])
def test_another_size_of_the_same_proportions_is_none(tmp_path: Path, width: int, height: int) -> None:
    path = image(tmp_path / "a.png", width, height)
    assert load_image(sample(path, 200, 150)).shape == (height, width, 3)
    assert load_at_size(sample(path, 200, 150), (150, 200)).shape == (150, 200, 3)


def test_too_little_memory(drawn: CocoDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [(64, 96)] * 6
    need = 6 * 64 * 96 * 3
    for free, copies, kept in (
        (2 * need, 1, True),
        (2 * need - 2, 1, False),
        (2 * need, 2, False),
        (4 * need, 2, True),
    ):
        memory = namedtuple("Memory", "available")(free)
        monkeypatch.setattr(cache.psutil, "virtual_memory", lambda memory=memory: memory)
        assert ImageStore(drawn.samples, sizes, "auto", copies).in_memory == kept
    monkeypatch.setattr(cache.psutil, "virtual_memory", lambda: namedtuple("Memory", "available")(need - 1))
    with pytest.raises(InputError, match=r"data\.cache is memory, but the images need"):
        ImageStore(drawn.samples, sizes, "memory")


def test_exif_orientation_is_ignored(tmp_path: Path) -> None:
    """A JPEG that says "turn me by 90 degrees" is read as it is stored, as COCO annotations take it."""
    path = image(tmp_path / "turned.jpg", 40, 20)
    add_exif(path, 6)
    assert cv2.imread(str(path)).shape[:2] == (40, 20)
    assert load_image(sample(path, 40, 20)).shape[:2] == (20, 40)
