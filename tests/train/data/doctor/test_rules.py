"""Rules of the set as a whole, copies, and headers."""

import copy
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fusedet.train.data.doctor.checks.header import Header, read_header
from fusedet.train.data.doctor.finding import KINDS
from tests.train.data.doctor.conftest import check
from tests.train.data.doctor.drawing import HEIGHT, WIDTH, DrawnSet, add_exif, draw_clean_set, draw_image
from tests.train.data.doctor.faults import FAULTS, turned


def only_class(s: DrawnSet, split: str, drop: int) -> None:
    content = s.content[split]
    content["annotations"] = [entry for entry in content["annotations"] if entry["category_id"] != drop]


def keep_few(s: DrawnSet, count: int) -> None:
    others = [entry for entry in s.train["annotations"] if entry["category_id"] != 3]
    s.train["annotations"] = others + [e for e in s.train["annotations"] if e["category_id"] == 3][:count]


def many_of_one(s: DrawnSet) -> None:
    keep_few(s, 1)
    first = next(entry for entry in s.train["annotations"] if entry["category_id"] == 1)
    for i in range(20):
        entry = {**copy.deepcopy(first), "id": 90000 + i, "bbox": [4 * i, 60, 9, 9]}
        s.train["annotations"].append(entry)


def big(s: DrawnSet) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (12, 16, 3), np.uint8)
    cv2.imwrite(str(s.path(0)), cv2.resize(noise, (6144, 4608), interpolation=cv2.INTER_NEAREST))


def few_bits(s: DrawnSet, bits: int) -> None:
    """Image 9, a PNG, as a camera of so many bits gives it."""
    image = cv2.imread(str(s.path(9)))
    assert image is not None
    cv2.imwrite(str(s.path(9)), (image.astype(np.uint16) << bits) // 256 + (1 << (bits - 1)) - 1)


def other_side(s: DrawnSet, plant: Callable[[DrawnSet], object]) -> None:
    """Image 1 turned by EXIF, and annotated with the size of the other side than its boxes."""
    plant(s)
    s.image(1).update(width=HEIGHT, height=WIDTH)


#: Kinds that are about the set as a whole -> how it comes about.
WHOLE: dict[str, Callable[[DrawnSet], object]] = {
    "no-objects": lambda s: s.train.update(annotations=[]),
    "no-val-objects": lambda s: s.val.update(annotations=[]),
    "class-only-in-val": lambda s: only_class(s, "train", 3),
    "class-not-in-val": lambda s: only_class(s, "val", 3),
    "class-unused": lambda s: [c["categories"].append({"id": 8, "name": "none"}) for c in s.content.values()],
    "rare-class": lambda s: keep_few(s, 5),
    "imbalance": many_of_one,
    "unlabelled-images": lambda s: s.train.update(annotations=s.train["annotations"][3:]),
    "small-objects": lambda s: s.objects(0)[0].update(bbox=[5, 5, 6, 20]),
    "small-set": lambda s: None,
    "large-image": big,
    "unused-bits": lambda s: few_bits(s, 12),
    "exif-boxes-shown": lambda s: other_side(s, lambda s: turned(s, 1)),
    "exif-boxes-stored": lambda s: other_side(s, lambda s: add_exif(s.path(1), 6)),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_the_set_as_a_whole(kind: str, spoiled: Callable[..., Path]) -> None:
    findings = [finding for finding in check(spoiled(WHOLE[kind])).findings if finding.kind == kind]
    assert findings
    assert all(finding.found and finding.expected for finding in findings)


@pytest.mark.parametrize(("bits", "factor"), [(10, 64), (12, 16), (16, None)])
def test_the_factor_of_unused_bits_is_told(bits: int, factor: int | None, spoiled: Callable[..., Path]) -> None:
    findings = check(spoiled(lambda s: few_bits(s, bits))).findings
    found = [finding.found for finding in findings if finding.kind == "unused-bits"]
    assert [f"multiply the values by {factor}," in text for text in found] == ([True] if factor else [])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3)])
def test_a_tiff_of_floats_is_no_damaged_one(
    shape: tuple[int, ...], kind: type, spoiled: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    def plant(s: DrawnSet) -> None:
        s.image(9)["file_name"] = "floats.tif"
        cv2.imwrite(str(s.image_folder / "floats.tif"), np.random.default_rng(0).random(shape).astype(kind))

    (found,) = [f.found for f in check(spoiled(plant)).findings if f.kind == "unreadable-image"]
    assert found == f"a TIFF of {np.dtype(kind).itemsize * 8} bits a value: save it as PNG of 8 bits"
    assert "WARN" not in capfd.readouterr().err


def test_boxes_outside_of_their_images_are_none_to_evaluate_on(spoiled: Callable[..., Path]) -> None:
    report = check(spoiled(lambda s: [thing.update(bbox=[10_000, 5, 20, 20]) for thing in s.val["annotations"]]))
    assert "no-val-objects" in report.by_kind()


def test_every_kind_has_a_test() -> None:
    assert set(WHOLE) | {fault.kind for fault in FAULTS.values()} == set(KINDS)


def frames(root: Path, change: Callable[[np.ndarray, int], np.ndarray], count: int = 6) -> Path:
    """A set whose training images are frames of one camera."""
    draw_clean_set(root, train=count, val=2)
    base, _ = draw_image(np.random.default_rng(7))
    for i in range(count):
        cv2.imwrite(str(root / "images" / f"train-{i}.jpg"), change(base.copy(), i), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return root


def passing(frame: np.ndarray, i: int) -> np.ndarray:
    """Something small goes by in front of a camera that stands still."""
    cv2.rectangle(frame, (10 + 15 * i, 40), (22 + 15 * i, 66), (30, 30, 30), -1)
    return frame


def noisy(frame: np.ndarray, i: int) -> np.ndarray:
    """Nothing moves: the sensor's noise alone tells the frames apart."""
    noise = np.random.default_rng(i).normal(0, 3, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def test_frames_in_which_something_moves_are_no_copies(tmp_path: Path) -> None:
    assert not [f for f in check(frames(tmp_path / "set", passing)).findings if f.kind == "duplicate-image"]


def test_frames_in_which_nothing_moves_are_copies(tmp_path: Path) -> None:
    found = [f for f in check(frames(tmp_path / "set", noisy)).findings if f.kind == "duplicate-image"]
    assert [finding.file for finding in found] == [f"train-{i}.jpg" for i in range(1, 6)]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_headers_say_size_and_orientation(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    add_exif(path, orientation)
    assert read_header(path) == Header("jpeg", (WIDTH, HEIGHT), orientation)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "gif"])
def test_a_cut_off_file_is_told(suffix: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    written, data = cv2.imencode(f".{suffix}", pixels)
    assert written
    whole = data.tobytes()
    assert read_header(whole).complete
    for part in (len(whole) - 20, len(whole) // 2, 20):
        assert not read_header(whole[:part]).complete, part


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"BM", b"RIFF", b"GIF8", b"II*\0", b"\x89PNG\r\n\x1a\n", b"text"])
def test_nonsense_is_no_crash(data: bytes) -> None:
    assert read_header(data).size_wh is None
