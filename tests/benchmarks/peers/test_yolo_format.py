import json
from pathlib import Path

import cv2
import numpy as np
import yaml
from PIL import Image

from benchmarks.peers.yolo_format import label_lines, write_yolo_format
from fusedet.train.data.coco import load_coco
from tests.train.drawing import draw_set


def lines(folder: Path, *objects: tuple[list[float], int, int]) -> str:
    """Of a picture of 200 x 100 with objects of ``(x, y, width, height)``, category and ``iscrowd``."""
    (folder / "3.png").touch()
    content = {
        "images": [{"id": 3, "file_name": "3.png", "width": 200, "height": 100}],
        "categories": [{"id": 5, "name": "box"}, {"id": 9, "name": "disc"}],
        "annotations": [
            {"id": i, "image_id": 3, "bbox": box, "category_id": category, "iscrowd": crowd}
            for i, (box, category, crowd) in enumerate(objects)
        ],
    }
    (folder / "all.json").write_text(json.dumps(content))
    return label_lines(load_coco(folder / "all.json", folder).samples[0])


def test_lines_hold_class_centre_and_size_as_fractions(tmp_path: Path) -> None:
    assert lines(tmp_path, ([20, 10, 40, 40], 9, 0), ([0, 0, 200, 100], 5, 0)) == (
        "1 0.20000000 0.30000000 0.20000000 0.40000000\n0 0.50000000 0.50000000 1.00000000 1.00000000\n"
    )


def test_crowds_are_left_out(tmp_path: Path) -> None:
    assert lines(tmp_path, ([0, 0, 10, 10], 5, 1)) == ""


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
    pictures = {path.name: path.resolve() for path in (root / "images" / "train").iterdir()}
    assert pictures == {f"{i}.png": data / "images" / f"train-{i}.png" for i in (1, 2, 3)}
    objects = (root / "labels" / "train" / "2.txt").read_text().splitlines()
    dataset = load_coco(data / "annotations" / "train.json", data / "images")
    assert len(objects) == len(dataset.samples[1].labels)
    assert (root / "labels" / "val" / "2.txt").read_text() == "", "a picture without an object is one to learn from"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["yolo"]


def test_what_is_there_stays(tmp_path: Path) -> None:
    data = draw_set(tmp_path / "drawn")
    listing = write_yolo_format(data, tmp_path / "yolo")
    listing.write_text("mine")
    assert write_yolo_format(data, tmp_path / "yolo").read_text() == "mine"


def test_pictures_of_one_name(tmp_path: Path) -> None:
    data = draw_set(tmp_path / "drawn", train=2, val=1)
    path = data / "annotations" / "train.json"
    content = json.loads(path.read_text())
    for folder, entry in zip("ab", content["images"], strict=True):
        (data / "images" / folder).mkdir()
        (data / "images" / entry["file_name"]).rename(data / "images" / folder / "x.png")
        entry["file_name"] = f"{folder}/x.png"
    path.write_text(json.dumps(content))
    root = write_yolo_format(data, tmp_path / "yolo").parent
    assert {p.resolve().parent.name for p in (root / "images" / "train").iterdir()} == {"a", "b"}


def test_a_picture_is_not_turned_by_its_exif_data(tmp_path: Path) -> None:
    data = draw_set(tmp_path / "drawn", train=1, val=1, size=(64, 96))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(data / "images" / "train-1.png").save(data / "images" / "train-1.jpg", exif=exif)
    path = data / "annotations" / "train.json"
    path.write_text(path.read_text().replace("train-1.png", "train-1.jpg"))
    root = write_yolo_format(data, tmp_path / "yolo").parent
    (picture,) = (root / "images" / "train").iterdir()
    unturned = cv2.imread(str(data / "images" / "train-1.jpg"), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert np.array_equal(cv2.imread(str(picture)), unturned)
    assert unturned.shape == (64, 96, 3)
