"""``fusedet data convert``, ``split``, ``stats`` and ``view``, mistakes included."""

import json
import shutil
from pathlib import Path

import cv2
import pytest

from fusedet.cli.main import main
from tests.commands import Refused
from tests.train.data.doctor.drawing import DrawnSet


def test_convert_says_what_is_lost(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = DrawnSet(Path("drawn"))
    drawn.objects(0)[0].update(iscrowd=1, segmentation=[[1, 1, 9, 1, 9, 9]])
    drawn.write()
    assert main(["data", "convert", "drawn", "yolo", "--from", "coco", "--to", "yolo"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("train: 55 images, 164 boxes\nval: 20 images, 60 boxes\nyolo: read again, no side of a box")
    assert "yolo cannot hold, and they are left out: 1 segmentations, 1 crowd regions, the ids of images" in said
    assert main(["data", "convert", "yolo", "back", "--from", "yolo", "--to", "coco", "--link"]) == 0
    assert "cannot hold" not in capsys.readouterr().out
    assert main(["train", "tiny.yaml", "data.root=back"]) == 0


def test_split_and_train_on_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.move("drawn/annotations/train.json", "all.json")
    Path("drawn/annotations/val.json").unlink()
    words = ["data", "split", "all.json", "--ratio", "75/25", "--out", "drawn/annotations"]
    assert main([*words, "--group", r"train-(\d)\d*\."]) == 0
    said = capsys.readouterr().out
    assert "disc" in said
    assert said.endswith("10 groups\n")
    train, val = (len(json.loads(Path(f"drawn/annotations/{n}.json").read_text())["images"]) for n in ("train", "val"))
    assert train + val == 55
    assert abs(val - 12.5) < 5
    assert main(["train", "tiny.yaml"]) == 0


def test_stats(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", "drawn", "--out", "stats.png", "--input-size", "64"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("train: 55 images, 165 boxes, 3 classes\n  shorter side at 64 px")
    assert "box 55, disc 55, cross 55" in said
    image = cv2.imread("stats.png")
    assert image is not None
    assert image.shape[1] > 1500


@pytest.mark.parametrize("augmented", [[], ["--augmented", "tiny.yaml", "augment.flip=0"]], ids=["plain", "augmented"])
def test_view(augmented: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "view", "drawn", "--out", "sheet.png", "--count", "6", "--side", "128", *augmented]) == 0
    sheet = cv2.imread("sheet.png")
    assert sheet is not None
    assert capsys.readouterr().out == f"sheet.png: {sheet.shape[1]} x {sheet.shape[0]} px\n"
    assert sheet.shape[:2] == (2 * (128 + 18 + 6) + 6, 3 * (128 + 6) + 6)


def test_view_of_one_class(here: Path) -> None:
    drawn = DrawnSet(Path("drawn"))
    drawn.train["annotations"] = drawn.train["annotations"][:5]  # two images, one of them without a cross
    drawn.write()
    assert main(["data", "view", "drawn", "--out", "sheet.png", "--class", "cross", "--side", "64"]) == 0
    sheet = cv2.imread("sheet.png")
    assert sheet is not None
    assert sheet.shape[1] == 64 + 2 * 6


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["convert", "drawn", "x", "--from", "coco", "--to", "coco"], ["both coco: there is nothing to convert"]),
        (["convert", "drawn", "x", "--from", "coco", "--to", "kitti"], ["invalid choice: 'kitti'"]),
        (["convert", "nowhere", "x", "--from", "coco", "--to", "voc"], ["nowhere: no such file or folder"]),
        (["convert", "drawn", "x", "--from", "voc", "--to", "coco"], ["drawn: expected Annotations/*.xml"]),
        (["convert", "drawn", "drawn", "--from", "coco", "--to", "voc"], ["drawn: exists already"]),
        (["convert", "drawn", "x", "--from", "coco", "--to", "yolo", "--one-based"], ["--one-based is about"]),
        (["split", "nowhere.json"], ["nowhere.json: no such annotation file"]),
        (["split", "tiny.yaml", "--out", "new"], ["tiny.yaml: broken JSON"]),
        (["split", "drawn/annotations/train.json"], ["train.json there is what is to be divided"]),
        (["split", "drawn/annotations/train.json", "--ratio", "1"], ["--ratio must be two or three shares above 0"]),
        (["split", "drawn/annotations/train.json", "--ratio", "80/x"], ["such as 80/20, but got '80/x'"]),
        (["split", "drawn/annotations/train.json", "--group", "("], ["--group '(': no regular expression"]),
        (["split", "drawn/annotations/train.json", "--out", "tiny.yaml"], ["expected a folder"]),
        (["split", "drawn/annotations/train.json", "--group", "^", "--out", "new"], ["val would be empty"]),
        (["stats", "nowhere"], ["nowhere: expected a COCO annotation file"]),
        (["stats", "drawn", "--out", "x.jpg"], ["expected a name that ends in .png"]),
        (["view", "drawn", "--out", "x.gif"], ["expected a name that ends in .jpg or .png"]),
        (
            ["view", "drawn", "--out", "x.jpg", "--class", "disk"],
            ["--class 'disk': there is none, did you mean 'disc'"],
        ),
        (["view", "drawn", "--out", "x.jpg", "--count", "0"], ["--count must be at least 1"]),
        (["view", "drawn", "--out", "x.jpg", "--side", "9"], ["--side must be in 32..2048"]),
        (["view", "drawn", "--out", "x.jpg", "augment.flip=0"], ["it needs --augmented CONFIG"]),
        (["view", "drawn", "--out", "x.jpg", "--augmented", "nanoo"], ["'nanoo'"]),
        (["view", "drawn", "--out", "x.jpg", "--split", "dev"], ["dev.json"]),
    ],
)
def test_wrong_input(arguments: list[str], parts: list[str], here: Path, refused: Refused) -> None:
    refused(["data", *arguments], *parts)
