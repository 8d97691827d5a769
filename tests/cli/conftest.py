"""A drawn data set of rectangles, an exported file that finds them, and an untrained checkpoint."""

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from fusedet.deploy import Contract
from tests.deploy.conftest import COLORS_BGR, NAMES, build_model

#: Boxes of the three images, xyxy: one of each colour.
BOXES = ((8, 8, 40, 40), (16, 0, 56, 24), (4, 20, 60, 62))


@pytest.fixture
def rectangles(tmp_path: Path) -> Path:
    """``images/`` and ``annotations/val.json`` with a red, a green and a blue rectangle on 64-px images."""
    root = tmp_path / "rectangles"
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    annotations = []
    for i, (x1, y1, x2, y2) in enumerate(BOXES):
        image = np.zeros((64, 64, 3), np.uint8)
        image[y1:y2, x1:x2] = COLORS_BGR[i]
        cv2.imwrite(str(root / "images" / f"{i}.png"), image)
        box = [x1, y1, x2 - x1, y2 - y1]
        annotations.append({"id": i + 1, "image_id": i, "category_id": i + 1, "bbox": box, "iscrowd": 0})
    content = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 64, "height": 64} for i in range(len(BOXES))],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(NAMES)],
        "annotations": annotations,
    }
    (root / "annotations" / "val.json").write_text(json.dumps(content))
    return root


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """An exported file whose one box is the bright rectangle."""
    path = tmp_path / "model.onnx"
    contract = Contract(names=NAMES, input_size=(64, 64), extra={"trained on": "drawn rectangles"})
    onnx.save(build_model(contract, scores=(0.9,)), path)
    return path


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with the best checkpoint of a training that never took place."""
    from fusedet.model import build_detector, save_checkpoint
    from fusedet.train.config import load_train_config

    narrow = "{channels: 16}"
    stages = f"model.stages=[{narrow}, {narrow}, {narrow}, {narrow}]"
    config = load_train_config("pico", ["model.input_size=64", "model.classes=3", stages]).model
    folder = tmp_path_factory.mktemp("run")
    meta = {
        "names": list(NAMES),
        "model": config.model_dump(mode="json"),
        "epoch": 7,
        "metrics": {"ap": 0.25},
        "fusedet_version": "0.1.0",
    }
    save_checkpoint(folder / "best.pt", {"ema": build_detector(config).state_dict()}, meta)
    return folder
