"""What the removal of duplicate detections does where many objects are."""

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from benchmarks.camera import crowds
from benchmarks.camera.crowds import crowded, ground_truth_rows, model_rows, only_class
from fusedet.configs import InputError
from fusedet.deploy import Contract
from fusedet.train.data.coco import load_coco
from tests.deploy.conftest import NAMES, build_model
from tests.train.samples import dataset, sample

#: The second and third are nearly the same.
BOXES = [[0, 0, 20, 40], [50, 0, 70, 40], [51, 0, 71, 40]]


@pytest.fixture
def red(tmp_path: Path) -> Path:
    """A data set with one red object on black, which takes a model of ``build_model``."""
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations").mkdir()
    image = np.zeros((96, 128, 3), np.uint8)
    image[20:60, 30:70] = (0, 0, 255)
    cv2.imwrite(str(tmp_path / "images" / "red.png"), image)
    content = {
        "images": [{"id": 1, "file_name": "red.png", "width": 128, "height": 96}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [30, 20, 40, 40], "area": 1600}],
        "categories": [{"id": number + 1, "name": name} for number, name in enumerate(NAMES)],
    }
    (tmp_path / "annotations" / "val.json").write_text(json.dumps(content))
    return tmp_path


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_crowd_has_so_many_objects_of_the_class_and_regions_to_ignore_are_none() -> None:
    three = sample(1, BOXES, [0, 0, 0])
    region = sample(2, BOXES, [0, 0, 0], crowd=[False, False, True])
    mixed = sample(3, BOXES, [0, 0, 1])
    whole = dataset(three, region, mixed)
    assert [s.image_id for s in crowded(whole, 0, 3).samples] == [1]
    assert [len(s.labels) for s in only_class(whole, 0).samples] == [3, 3, 2]
    with pytest.raises(InputError, match=r"val.json: no image has 4 or more objects of cat"):
        crowded(whole, 0, 4)


def test_objects_that_nearly_coincide_are_taken_for_duplicates() -> None:
    rows = [cells(row) for row in ground_truth_rows(dataset(sample(1, BOXES, [0, 0, 0])), 0, 3)]
    recall = {row[2]: row[5] for row in rows}
    assert recall["none"] == "1.000"
    assert {value for iou, value in recall.items() if iou != "none"} == {"0.667"}


def test_a_file_without_nms_shows_duplicates_until_they_are_removed(red: Path) -> None:
    onnx.save(build_model(Contract(NAMES, (96, 128)), scores=(0.9, 0.8)), red / "model.onnx")
    data = load_coco(red / "annotations" / "val.json", red / "images")
    rows = [cells(row) for row in model_rows(red / "model.onnx", data, 0, 1)]
    assert [row[1] for row in rows] == ["NMS-free"] * 6
    assert {row[2]: row[7] for row in rows if row[2] in ("none", "0.7")} == {"none": "1 of 2", "0.7": "0 of 1"}


def test_a_file_with_nms_has_one_row(red: Path) -> None:
    onnx.save(build_model(Contract(NAMES, (96, 128), nms=True), scores=(0.9, 0.8)), red / "model.onnx")
    data = load_coco(red / "annotations" / "val.json", red / "images")
    (row,) = (cells(row) for row in model_rows(red / "model.onnx", data, 0, 1))
    assert row[1:3] == ["with NMS", "-"]
    assert row[7] == "0 of 1"


def test_the_step_is_timed() -> None:
    rows = list(crowds.time_rows(rounds=3))
    assert [cells(row)[0] for row in rows[1:]] == [
        "100 boxes, duplicates kept",
        "100 boxes, duplicate_iou 0.7",
        "300 boxes, NMS",
    ]
    assert all(float(cells(row)[1]) > 0 for row in rows[1:])


def test_mistakes_are_told_before_any_work(red: Path) -> None:
    with pytest.raises(InputError, match="expected MODEL and --data, or --time"):
        crowds.main([])
    with pytest.raises(InputError, match=r"--class cat: .* has no such class"):
        crowds.main(["nano", "--data", str(red), "--class", "cat"])
