import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.train.data.coco import check_same_categories, load_coco
from fusedet.train.data.digits import _glyphs, make_digits, make_digits_video
from tests.commands import contents


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_digits(tmp_path_factory.mktemp("data") / "digits", train=40, val=10)


def test_it_is_a_coco_set(digits: Path) -> None:
    train, val = (load_coco(digits / "annotations" / f"{s}.json", digits / "images") for s in ("train", "val"))
    check_same_categories(train, val)
    assert train.names == tuple("0123456789")
    assert (len(train.samples), len(val.samples)) == (40, 10)
    counts = [len(sample.labels) for sample in train.samples]
    assert min(counts) == 0
    assert 6 <= max(counts) <= 8
    assert cv2.imread(str(train.samples[0].path)).shape == (320, 320, 3)
    boxes = np.concatenate([sample.boxes_xyxy for sample in train.samples])
    heights = boxes[:, 3] - boxes[:, 1]
    assert heights.min() >= 16
    assert heights.max() <= 160
    assert np.mean(heights >= 24) > 0.85
    assert len(set(np.concatenate([sample.labels for sample in train.samples]))) == 10


def test_digits_hardly_overlap(digits: Path) -> None:
    for sample in load_coco(digits / "annotations" / "train.json", digits / "images").samples:
        for i, a in enumerate(sample.boxes_xyxy):
            for b in sample.boxes_xyxy[:i]:
                shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
                assert shared <= 0.03 * min((a[2:] - a[:2]).prod(), (b[2:] - b[:2]).prod())


def test_no_handwriting_is_in_both_halves() -> None:
    train, val = ({glyph.tobytes() for _, glyph in _glyphs(split)} for split in ("train", "val"))
    assert len(train) + len(val) == 1797
    assert not train & val


def test_the_same_seed_gives_the_same_files(tmp_path: Path, digits: Path) -> None:
    assert contents(make_digits(tmp_path / "again", train=40, val=10)) == contents(digits)
    other = contents(make_digits(tmp_path / "other", train=40, val=10, seed=1))
    assert other["images/train-00001.jpg"] != contents(digits)["images/train-00001.jpg"]


def test_other_sizes(tmp_path: Path) -> None:
    root = make_digits(tmp_path / "wide", train=3, val=2, size=(64, 96))
    dataset = load_coco(root / "annotations" / "train.json", root / "images")
    assert {(sample.height, sample.width) for sample in dataset.samples} == {(64, 96)}


def test_a_set_that_is_there_is_left_as_it_is(digits: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in digits.rglob("*")}
    assert make_digits(digits, train=40, val=10) == digits
    assert {path: path.stat().st_mtime_ns for path in digits.rglob("*")} == before
    with pytest.raises(InputError, match="made with other settings"):
        make_digits(digits, train=41, val=10)


@pytest.mark.parametrize("name", ["notes.txt", "annotations/val.json"])
def test_nothing_else_is_overwritten(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine" / name
    mine.parent.mkdir(parents=True)
    mine.write_text(json.dumps({"info": {"description": "mine"}}))
    with pytest.raises(InputError, match="holds something else"):
        make_digits(tmp_path / "mine", train=1, val=1)
    with pytest.raises(InputError, match="holds something else"):
        make_digits(mine, train=1, val=1)
    assert [path.name for path in (tmp_path / "mine").rglob("*.*")] == [mine.name]


def test_an_empty_folder_is_filled_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make_digits(tmp_path / "empty", train=1, val=1)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_video(tmp_path: Path) -> None:
    path = make_digits_video(tmp_path / "new" / "digits.mp4", seconds=0.5, fps=10, size=(240, 320))
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (frame := capture.read()[1]) is not None:
        frames.append(frame.astype(float))
    capture.release()
    assert len(frames) == 5
    assert frames[0].shape == (240, 320, 3)
    assert np.abs(frames[0] - frames[4]).max() > 60  # something moved
    assert [file.name for file in path.parent.iterdir()] == ["digits.mp4"]
    with pytest.raises(InputError, match="exists already"):
        make_digits_video(path)
