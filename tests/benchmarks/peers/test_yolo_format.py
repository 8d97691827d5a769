import json
from pathlib import Path

import cv2
import numpy as np
import yaml
from PIL import Image

from benchmarks.peers.yolo_format import write_yolo_format
from fusedet.train.data.coco import load_coco
from tests.train.drawing import draw_set


def test_a_whole_set(tmp_path: Path) -> None:
    data = draw_set(tmp_path / "drawn", train=3, val=2)
    annotations = data / "annotations" / "val.json"
    content = json.loads(annotations.read_text())
    content["annotations"] = [entry for entry in content["annotations"] if entry["image_id"] == 1]
    annotations.write_text(json.dumps(content))

    listing = write_yolo_format(data, tmp_path / "out" / "yolo")
    root = tmp_path / "out" / "yolo"
    assert yaml.safe_load(listing.read_text()) == {
        "path": str(root),
        "train": "images/train",
        "val": "images/val",
        "names": {0: "box", 1: "disc"},
    }
    images = {path.name: path.resolve() for path in (root / "images" / "train").iterdir()}
    assert images == {f"{i}.png": data / "images" / f"train-{i}.png" for i in (1, 2, 3)}
    objects = (root / "labels" / "train" / "2.txt").read_text().splitlines()
    dataset = load_coco(data / "annotations" / "train.json", data / "images")
    assert len(objects) == len(dataset.samples[1].labels)
    assert (root / "labels" / "val" / "2.txt").read_text() == "", "an image without an object is one to learn from"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["yolo"]


def test_an_image_is_not_turned_by_its_exif_data(tmp_path: Path) -> None:
    data = draw_set(tmp_path / "drawn", train=1, val=1, size=(64, 96))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(data / "images" / "train-1.png").save(data / "images" / "train-1.jpg", exif=exif)
    path = data / "annotations" / "train.json"
    path.write_text(path.read_text().replace("train-1.png", "train-1.jpg"))
    root = write_yolo_format(data, tmp_path / "yolo").parent
    (image,) = (root / "images" / "train").iterdir()
    unturned = cv2.imread(str(data / "images" / "train-1.jpg"), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert np.array_equal(cv2.imread(str(image)), unturned)
    assert unturned.shape == (64, 96, 3)
