"""The repaired copy trains, says what was done, and leaves the original as it was."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fusedet.configs import InputError
from fusedet.train import TrainConfig, train
from fusedet.train.config import DataConfig
from fusedet.train.data.doctor.copy import write_repaired
from fusedet.train.data.doctor.finding import KINDS
from fusedet.train.data.training_sets import load_sets
from tests.commands import contents
from tests.train.data.doctor.conftest import check
from tests.train.data.doctor.drawing import HEIGHT, WIDTH, DrawnSet
from tests.train.data.doctor.faults import FAULTS
from tests.train.data.doctor.test_check import SIZE_NOTES, named


def boxes_of(root: Path, file: str, split: str = "train") -> list[list[float]]:
    content = json.loads((root / "annotations" / f"{split}.json").read_text())
    (image,) = [entry for entry in content["images"] if entry["file_name"] == file]
    return [entry["bbox"] for entry in content["annotations"] if entry["image_id"] == image["id"]]


@pytest.mark.parametrize("name", FAULTS)
def test_a_single_fault_is_found_and_mended_and_nothing_else(
    name: str, spoiled: Callable[..., Path], tmp_path: Path
) -> None:
    fault = FAULTS[name]
    root = spoiled(fault.plant)
    before = contents(root)
    report = check(root)
    assert named(report, fault), report.findings
    assert {finding.kind for finding in report.findings} - SIZE_NOTES == {fault.kind} | fault.also
    actions = write_repaired(report, tmp_path / "out", link=True, leave_out=True)
    assert contents(root) == before
    load_sets(DataConfig(root=tmp_path / "out"))
    left = {finding.kind for finding in check(tmp_path / "out").findings}
    assert {kind for kind in left if KINDS[kind].fix} == set()
    done = {action.finding.kind for action in actions}
    assert done == {finding.kind for finding in report.findings if KINDS[finding.kind].fix}


def test_all_faults_are_found_and_mended_at_once_and_the_copy_trains(
    spoiled: Callable[..., Path], tmp_path: Path, tiny: TrainConfig
) -> None:
    root = spoiled(*(fault.plant for fault in FAULTS.values()))
    before, out, report = contents(root), tmp_path / "out", check(root)
    assert [name for name, fault in FAULTS.items() if not named(report, fault)] == []
    planted = {fault.file for fault in FAULTS.values()} | {"train-21.jpg", "train-22.jpg", "train-11.jpg", "val.json"}
    assert {finding.file for finding in report.findings} - planted == set(), "images without a fault are accused"
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=("error", "warning", "note").index)
    actions = write_repaired(report, out, leave_out=True)
    assert contents(root) == before
    assert {f.kind for f in check(out).findings if KINDS[f.kind].fix} == set()
    rows = json.loads((out / "fixes.json").read_text())
    assert len(rows) == len(actions) >= 40
    assert all(row["did"] for row in rows)
    assert "train-18.jpg" in (out / "fixes.md").read_text()
    update = {"data": DataConfig(root=out, workers=0), "train": tiny.train.model_copy(update={"epochs": 1})}
    result = train(tiny.model_copy(update=update))
    assert result.finished


#: Fault -> the file whose boxes are looked at, and the first of them afterwards.
MENDED = {
    "texts as box": ("train-30.jpg", [10, 10, 20.5, 20]),
    "parts of the image": ("train-34.jpg", [32, 48, 38.4, 38.4]),
    "two corners": ("train-35.jpg", [60, 40, 60, 50]),
    "negative width": ("train-36.jpg", [40, 40, 20, 10]),
    "half outside": ("train-40.jpg", [0, 40, 20, 20]),
    "polygon only": ("train-28.jpg", [10, 10, 30, 40]),
}


@pytest.mark.parametrize("name", MENDED)
def test_boxes_become_what_was_meant(name: str, spoiled: Callable[..., Path], tmp_path: Path) -> None:
    write_repaired(check(spoiled(FAULTS[name].plant)), tmp_path / "out")
    file, box = MENDED[name]
    np.testing.assert_allclose(boxes_of(tmp_path / "out", file)[0], box)


def test_a_mask_without_a_box_or_beside_an_empty_one_gets_its_box(spoiled: Callable[..., Path], tmp_path: Path) -> None:
    def plant(s: DrawnSet) -> None:
        runs = [WIDTH * HEIGHT - 5 * HEIGHT, 7, HEIGHT - 7, 7, 4 * HEIGHT - 7]
        mask = {"size": [HEIGHT, WIDTH], "counts": runs}
        s.objects(3)[0].pop("bbox")
        s.objects(3)[0]["segmentation"] = mask
        s.objects(4)[0].update(bbox=[0, 0, 0, 0], segmentation=mask)

    report = check(spoiled(plant))
    assert [f.file for f in report.findings if f.severity == "error"] == ["train-3.jpg", "train-4.jpg"]
    write_repaired(report, tmp_path / "out")
    for file in ("train-3.jpg", "train-4.jpg"):
        assert boxes_of(tmp_path / "out", file)[0] == [WIDTH - 5, 0, 2, 7]


def test_a_name_that_is_no_text_stays_what_it_is(spoiled: Callable[..., Path], tmp_path: Path) -> None:
    """Half a surrogate pair, which JSON can hold and UTF-8 cannot."""

    def plant(s: DrawnSet) -> None:
        s.train["categories"][0]["name"] = s.val["categories"][0]["name"] = "r\ud800d"
        s.image(3)["file_name"] = "\ud800.jpg"

    write_repaired(check(spoiled(plant)), tmp_path / "out", leave_out=True)
    content = json.loads((tmp_path / "out" / "annotations" / "train.json").read_text())
    assert "r\ud800d" in [category["name"] for category in content["categories"]]
    assert "\\ud800.jpg" in (tmp_path / "out" / "fixes.md").read_text()


def test_boxes_of_unknown_images_teach_nothing(spoiled: Callable[..., Path], tmp_path: Path) -> None:
    """Two images have one id: its boxes are right for one of them, and nobody knows for which."""
    write_repaired(check(spoiled(FAULTS["image id twice"].plant)), tmp_path / "out", leave_out=True)
    content = json.loads((tmp_path / "out" / "annotations" / "train.json").read_text())
    assert {"train-21.jpg", "train-22.jpg"}.isdisjoint(image["file_name"] for image in content["images"])
    assert len(content["annotations"]) == 3 * len(content["images"]) == 159


@pytest.mark.parametrize("value", [1.5, True, "one"])
def test_an_id_that_is_no_number_keeps_its_annotations(
    value: object, small_root: Path, spoiled: Callable[..., Path], tmp_path: Path
) -> None:
    def plant(s: DrawnSet) -> None:
        for thing in s.objects(3):
            thing["image_id"] = value
        s.image(3)["id"] = value

    write_repaired(check(spoiled(plant)), tmp_path / "out")
    assert boxes_of(tmp_path / "out", "train-3.jpg") == boxes_of(small_root, "train-3.jpg")


def test_middles_first_is_told_from_corners_first(
    small_root: Path, spoiled: Callable[..., Path], tmp_path: Path
) -> None:
    def as_yolo(s: DrawnSet) -> None:
        for entry in s.train["annotations"]:
            x, y, w, h = entry["bbox"]
            entry["bbox"] = [(x + w / 2) / WIDTH, (y + h / 2) / HEIGHT, w / WIDTH, h / HEIGHT]

    report = check(spoiled(as_yolo))
    assert sum(finding.kind == "normalised-box" for finding in report.findings) == 165
    write_repaired(report, tmp_path / "out")
    want = boxes_of(small_root, "train-3.jpg")
    np.testing.assert_allclose(boxes_of(tmp_path / "out", "train-3.jpg"), want, atol=1e-9)


def test_a_whole_set_of_corners(spoiled: Callable[..., Path], tmp_path: Path) -> None:
    def as_corners(s: DrawnSet) -> None:
        for entry in s.train["annotations"]:
            x, y, w, h = entry["bbox"]
            entry["bbox"] = [x, y, x + w, y + h]

    root = spoiled(as_corners)
    write_repaired(check(root), tmp_path / "out")
    assert {finding.kind for finding in check(tmp_path / "out").findings} == SIZE_NOTES


def test_nothing_is_written_over(spoiled: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(InputError, match="out: exists already"):
        write_repaired(check(spoiled()), tmp_path / "out")


def test_links_where_they_are_wanted(spoiled: Callable[..., Path], tmp_path: Path) -> None:
    root = spoiled()
    write_repaired(check(root), tmp_path / "out", link=True)
    assert (tmp_path / "out" / "images" / "train-3.jpg").samefile(root / "images" / "train-3.jpg")


def test_a_set_does_not_lose_all_its_annotations_unasked(spoiled: Callable[..., Path], tmp_path: Path) -> None:
    def mistake(s: DrawnSet) -> None:
        for entry in s.train["annotations"]:
            entry["image_id"] = None

    report = check(spoiled(mistake))
    with pytest.raises(InputError, match="annotations of an image that is not listed"):
        write_repaired(report, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_repaired(report, tmp_path / "out", leave_out=True)
