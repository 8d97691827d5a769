"""What the removal of duplicate detections does where many objects are."""

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from benchmarks.camera.crowds import model_rows
from fusedet.deploy import Contract
from fusedet.train.data.coco import load_coco
from tests.deploy.conftest import NAMES, build_model


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


def test_a_file_without_nms_shows_duplicates_until_they_are_removed(red: Path) -> None:
    onnx.save(build_model(Contract(NAMES, (96, 128)), scores=(0.9, 0.8)), red / "model.onnx")
    data = load_coco(red / "annotations" / "val.json", red / "images")
    rows = [cells(row) for row in model_rows(red / "model.onnx", data, 0, 1)]
    assert [row[1] for row in rows] == ["NMS-free"] * 6
    assert {row[2]: row[7] for row in rows if row[2] in ("none", "0.7")} == {"none": "1 of 2", "0.7": "0 of 1"}
