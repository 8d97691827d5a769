"""The sets of a folder are found where fusedet and annotation tools put them."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from fusedet.common.errors import InputError
from fusedet.configs.inputs import coco_files
from fusedet.configs.layouts import explain, find_sets, image_folder


def write(root: Path, annotations: str, names: Iterable[str], files: Iterable[str] = ()) -> None:
    path = root / annotations
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": [{"id": 1, "file_name": name} for name in names], "annotations": []}))
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


#: Layout -> for each set its annotation file, a name in it, and the image file that the name means.
LAYOUTS = {
    "own": {
        "train": ("annotations/train.json", "a/1.jpg", "images/a/1.jpg"),
        "val": ("annotations/val.json", "2.jpg", "images/2.jpg"),
    },
    "Roboflow": {
        "train": ("train/_annotations.coco.json", "1.jpg", "train/1.jpg"),
        "val": ("valid/_annotations.coco.json", "1.jpg", "valid/1.jpg"),
        "test": ("test/_annotations.coco.json", "1.jpg", "test/1.jpg"),
    },
    "CVAT": {
        "train": ("annotations/instances_Train.json", "frame_000000.png", "images/Train/frame_000000.png"),
        "val": ("annotations/instances_Validation.json", "frame_000000.png", "images/Validation/frame_000000.png"),
    },
    "CVAT, one folder": {
        "train": ("annotations/instances_train.json", "1.png", "images/1.png"),
        "val": ("annotations/instances_val.json", "2.png", "images/2.png"),
    },
    "COCO": {
        "train": ("annotations/instances_train2017.json", "1.jpg", "train2017/1.jpg"),
        "val": ("annotations/instances_val2017.json", "2.jpg", "val2017/2.jpg"),
    },
    "FiftyOne": {
        "train": ("train/labels.json", "1.jpg", "train/data/1.jpg"),
        "val": ("validation/labels.json", "2.jpg", "validation/data/2.jpg"),
    },
    "Label Studio, divided": {
        "train": ("annotations/train.json", "images/1.jpg", "images/1.jpg"),
        "val": ("annotations/val.json", "images/2.jpg", "images/2.jpg"),
    },
    "beside each other": {
        "train": ("train.json", "1.jpg", "images/1.jpg"),
        "val": ("val.json", "2.jpg", "images/2.jpg"),
    },
    "Label Studio": {"result": ("result.json", "images/1.jpg", "images/1.jpg")},
    "CVAT, one task": {"instances_default": ("annotations/instances_default.json", "1.jpg", "images/default/1.jpg")},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_set_is_found_with_its_images(layout: str, tmp_path: Path) -> None:
    for annotations, name, file in LAYOUTS[layout].values():
        write(tmp_path, annotations, [name], [file])
    sets = find_sets(tmp_path)
    assert list(sets) == list(LAYOUTS[layout])
    for split, (annotations, name, file) in LAYOUTS[layout].items():
        assert sets[split].annotations == tmp_path / annotations
        assert (sets[split].images / name).samefile(tmp_path / file)
        if split in ("train", "val", "test"):
            assert coco_files(tmp_path, split) == tuple(sets[split])
        assert (image_folder(tmp_path / annotations) / name).is_file() or layout == "COCO"


def test_files_of_other_things_are_no_sets(tmp_path: Path) -> None:
    for name in ("instances_train2017", "captions_train2017", "person_keypoints_train2017", "image_info_test2017"):
        write(tmp_path, f"annotations/{name}.json", ["1.jpg"], ["train2017/1.jpg"])
    (tmp_path / "notes.json").write_text('{"categories": []}')
    (tmp_path / "empty.json").touch()
    sets = find_sets(tmp_path)
    assert sets["train"].annotations.name == "instances_train2017.json"
    assert "val" not in sets


def test_two_files_of_one_set_are_asked_about(tmp_path: Path) -> None:
    for name in ("train_a", "train_b"):
        write(tmp_path, f"annotations/{name}.json", ["1.jpg"])
    with pytest.raises(InputError, match=r"train_a\.json and .*train_b\.json: both may be the set train"):
        find_sets(tmp_path)
    write(tmp_path, "annotations/train.json", ["1.jpg"])
    assert find_sets(tmp_path)["train"].annotations.name == "train.json"


def test_most_names_decide_where_one_image_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "train/_annotations.coco.json", ["gone.jpg", "1.jpg", "2.jpg"], ["train/1.jpg", "train/2.jpg"])
    (tmp_path / "images").mkdir()
    assert find_sets(tmp_path)["train"].images == tmp_path / "train"


@pytest.mark.parametrize("text", ["", "{", '{"file_name": "\\', '{"annotations": 1, "file_name": "a\\u0000b"}', "\0"])
def test_a_damaged_file_is_for_its_reader_to_tell(text: str, tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "train.json").write_text(text)
    assert find_sets(tmp_path)["train"].images == tmp_path / "images"


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        (["data.yaml", "train/images/1.jpg"], ["--from yolo --to coco"]),
        (["classes.txt", "notes.json", "images/1.jpg", "labels/1.txt"], ["--from yolo --to coco"]),
        (["Annotations/1.xml", "JPEGImages/1.jpg"], ["--from voc --to coco"]),
        (["train-annotations-bbox.csv"], ["--from openimages --to coco"]),
        (["annotations.xml", "images/1.jpg"], ["export the task as COCO 1.0"]),
        (["images/1.jpg"], ["expected annotations/train.json"]),
    ],
)
def test_other_forms_are_told_with_what_helps(files: list[str], parts: list[str], tmp_path: Path) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    said = explain(tmp_path)
    assert said.startswith(f"{tmp_path}: ")
    assert all(part in said for part in parts)


def test_a_missing_validation_set_is_told_with_what_makes_one(tmp_path: Path) -> None:
    write(tmp_path, "result.json", ["images/1.jpg"], ["images/1.jpg"])
    assert f"fusedet data split {tmp_path}" in explain(tmp_path)
    write(tmp_path, "train/_annotations.coco.json", ["1.jpg"], ["train/1.jpg"])
    assert f"fusedet data split {tmp_path}/train/_annotations.coco.json" in explain(tmp_path)
