"""Names of other folders and systems are read as what they mean, where only one file can be meant."""

import json
import os
from pathlib import Path

import pytest

from fusedet.train.config import DataConfig
from fusedet.train.data.doctor.check import validate_splits
from fusedet.train.data.doctor.copy import write_repaired
from fusedet.train.data.doctor.finding import Finding
from fusedet.train.data.doctor.source import read_split
from fusedet.train.data.training_sets import load_sets
from tests.train.data.doctor.conftest import check
from tests.train.data.doctor.drawing import draw_clean_set

CATEGORIES = [{"id": 1, "name": "box"}]


def findings(root: Path, names: list[str], files: list[str]) -> dict[str, Finding]:
    """What is found of each name, in a set with these names in the annotations and these empty files in the folder."""
    for file in files:
        (root / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / file).write_bytes(b"not empty")
    images = [{"id": i, "file_name": name, "width": 9, "height": 9} for i, name in enumerate(names)]
    path = root / "train.json"
    path.write_text(json.dumps({"images": images, "annotations": [], "categories": CATEGORIES}))
    report = validate_splits([read_split("train", path, root / "images")], fast=True)
    return {f.file: f for f in report.findings if f.kind in ("other-path", "missing-file", "unlisted-file")}


@pytest.mark.parametrize(
    ("name", "file", "rule"),
    [
        ("images\\1/a.jpg", "a.jpg", "by its name alone"),
        ("..\\label\\a.jpg", "a.jpg", "\\ read as /"),
        ("C:\\Users\\me\\a.jpg", "a.jpg", "\\ read as /"),
        ("sub\\a.jpg", "sub/a.jpg", "\\ read as /"),
        ("/home/me/photos/a.jpg", "a.jpg", "by its name alone"),
        ("../photos/a.jpg", "a.jpg", "by its name alone"),
        ("images/sub/a.jpg", "sub/a.jpg", "by its name alone"),
        ("a.jpg", "sub/a.jpg", "by its name alone"),
        ("my%20cat%20%C3%A9.jpg", "my cat é.jpg", "decoded from a URL"),
        ("http://host:8080/data/a.jpg?size=1", "a.jpg", "without the address"),
        ("/data/local-files/?d=set/a.jpg", "a.jpg", "by its name alone"),
        ("s3://bucket/set/a%201.jpg", "a 1.jpg", "decoded from a URL"),
        ("A.JPG", "a.jpg", "whatever the case"),
        ("Ä.jpg", "a\u0308.jpg", "whatever the case"),
        ("a.png", "a.jpg", "whatever the suffix"),
        ("a", "a.jpg", "whatever the suffix"),
        ("a.b", "a.b.jpg", "whatever the suffix"),
        ("a.jpg.JPG", "a.jpg", "whatever the suffix"),
        ("a.jpg", "a.jpg.png", "whatever the suffix"),
        ("００1.jpg", "001.jpg", "whatever the case"),
        ("sub/a.jpg", "sub\\a.jpg", "a.jpg ("),
        ("\ufeffa.jpg", "a.jpg", "by its letters and digits"),
        ("/data/upload/1/0a1b2c3d-a.jpg", "a.jpg", "without a tool's prefix"),
        ("a.jpg", "0a1b2c3d-a.jpg", "without a tool's prefix"),
        ("1.jpg", "000001.jpg", "whatever zeros"),
        ("frame_000012.PNG", "frame_12.jpg", "whatever zeros"),
        ("COCO_val2014_000000000042.jpg", "000000000042.jpg", "without a tool's prefix"),
        ("COCO_train2014_000000000042.jpg", "42.jpg", "whatever zeros"),
        ("0a1b2c3d-my_cat_(1).jpg", "my cat (1).jpg", "by its letters and digits"),
        ("my+cat.jpg", "my cat.jpg", "by its letters and digits"),
        ("my cat.jpg", "my%20cat.jpg", "by its letters and digits"),
        ("cats &amp; dogs.jpg", "cats & dogs.jpg", "by its letters and digits"),
        (" a.jpg ", "a.jpg", "by its letters and digits"),
        ("my cat.jpg", "my-cat_jpg.rf.0123456789abcdef.jpg", "by its letters and digits"),
    ],
)
def test_a_name_is_read_as_a_tool_meant_it(name: str, file: str, rule: str, tmp_path: Path) -> None:
    found = findings(tmp_path, [name], [file, "other.jpg"])
    assert found[name].kind == "other-path"
    assert found[name].found.startswith(f"{file} (")
    assert rule in found[name].found
    assert "1 of 1 missing" in found[name].found
    assert set(found) == {name, "other.jpg"}, "the file is no longer one that nobody lists"


def test_a_name_with_a_way_around_lists_its_file(tmp_path: Path) -> None:
    assert not findings(tmp_path, ["../images/a.jpg", "./b.jpg"], ["a.jpg", "b.jpg"])


def test_folders_decide_between_files_of_one_name(tmp_path: Path) -> None:
    found = findings(tmp_path, ["x\\day\\1.jpg", "x\\night\\1.jpg"], ["day/1.jpg", "night/1.jpg"])
    assert [f.found.partition(" ")[0] for f in found.values()] == ["day/1.jpg", "night/1.jpg"]


@pytest.mark.parametrize(
    ("names", "files", "reason"),
    [
        (["x/1.jpg"], ["day/1.jpg", "night/1.jpg"], "day/1.jpg and night/1.jpg are both named so"),
        (["x/1.jpg", "y/1.jpg"], ["1.jpg"], "1.jpg is meant by 2 names"),
        (["1.jpg", "x/1.jpg"], ["1.jpg"], "no such file"),
        (["a.png"], ["a.jpg", "a.bmp"], "are both named so"),
        (["a.jpg"], ["a_jpg.rf.01.jpg", "a_jpg.rf.02.jpg"], "are both named so"),
        (["%"], ["a.jpg"], "no such file"),
        (["\\"], ["a.jpg"], "no such file"),
    ],
)
def test_what_may_mean_several_files_means_none(
    names: list[str], files: list[str], reason: str, tmp_path: Path
) -> None:
    found = findings(tmp_path, names, files)
    assert "other-path" not in {finding.kind for finding in found.values()}
    (missing, *_) = [finding for finding in found.values() if finding.kind == "missing-file"]
    assert reason in missing.found


def test_all_labelled_images_are_in_the_copy(tmp_path: Path) -> None:
    root = draw_clean_set(tmp_path / "set", train=6, val=3)
    for split in ("train", "val"):
        path = root / "annotations" / f"{split}.json"
        content = json.loads(path.read_text())
        for i, entry in enumerate(content["images"]):
            if i % 2:
                entry["file_name"] = f"..\\label\\{entry['file_name']}"
        path.write_text(json.dumps(content))
    write_repaired(check(root), tmp_path / "out")
    train, val = load_sets(DataConfig(root=tmp_path / "out"))
    assert [len(part.samples) for part in (train, val)] == [6, 3]
    assert all(len(sample.labels) == 3 for part in (train, val) for sample in part.samples)
    assert sorted(os.listdir(tmp_path / "out" / "images")) == sorted(os.listdir(root / "images"))
