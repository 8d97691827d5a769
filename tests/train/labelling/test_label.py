"""What a teacher finds becomes annotations: mapped, rounded, kept in a journal until all is done."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fusedet.configs import InputError
from fusedet.deploy import Detections
from fusedet.train.data.coco import load_coco
from fusedet.train.labelling.label import find_images, images_of, label_images
from tests.train.data.doctor.drawing import add_exif
from tests.train.drawing import draw_set

NAMES = ("car", "person", "truck")


class Teacher:
    """Finds in an image what is listed under its grey level; counts what it is asked."""

    names = NAMES

    def __init__(self, found: dict[int, list[tuple[float, ...]]], fail_at: int | None = None) -> None:
        self.found, self.fail_at, self.seen = found, fail_at, list[int]()

    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return [self._one(int(image[0, 0, 0])) for image in images_bgr]

    def _one(self, level: int) -> Detections:
        self.seen.append(level)
        if level == self.fail_at:
            raise KeyboardInterrupt
        rows = np.array(self.found.get(level, []), np.float64).reshape(-1, 6)
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        return Detections(
            rows[:, :4].astype(np.float32), rows[:, 4].astype(np.float32), rows[:, 5].astype(np.int64), self.names
        )


CAR, PERSON, TRUCK = range(3)
FOUND = {
    10: [(1.004, 2, 11, 22, 0.91239, CAR), (5, 5, 15, 15, 0.2, PERSON), (5, 5, 15, 15, 0.5, PERSON)],
    20: [(0, 0, 20, 20, 0.6, CAR), (0, 0, 20, 20, 0.7, TRUCK), (1, 0, 20, 20, 0.4, PERSON)],
    30: [],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three grey images of 40 x 30, one of them in a folder in the folder, and a text file."""
    root = tmp_path / "images"
    (root / "sub").mkdir(parents=True)
    for name, level in (("b.png", 10), ("sub/a.png", 20), ("c.png", 30)):
        cv2.imwrite(str(root / name), np.full((30, 40, 3), level, np.uint8))
    (root / "notes.txt").write_text("no image")
    return root


def annotations(path: Path) -> dict[str, list[list[Any]]]:
    """File name -> class name, box and score of each label."""
    content = json.loads(path.read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    result: dict[str, list[list[Any]]] = {image["file_name"]: [] for image in content["images"]}
    files = {image["id"]: image["file_name"] for image in content["images"]}
    for entry in content["annotations"]:
        result[files[entry["image_id"]]].append([names[entry["category_id"]], entry["bbox"], entry["score"]])
    return result


def test_labels_are_coco_annotations_with_scores(folder: Path, tmp_path: Path) -> None:
    out, counted = tmp_path / "labels.json", []
    summary = label_images(
        Teacher(FOUND), find_images(folder), out, origin={"teacher": "x"}, batch=2, on_batch=counted.append
    )
    assert annotations(out) == {
        "b.png": [["car", [1.0, 2.0, 10.0, 20.0], 0.9124], ["person", [5.0, 5.0, 10.0, 10.0], 0.5]],
        "c.png": [],
        "sub/a.png": [["truck", [0.0, 0.0, 20.0, 20.0], 0.7], ["person", [1.0, 0.0, 19.0, 20.0], 0.4]],
    }
    assert (summary.images, summary.objects, summary.unreadable) == (3, {"car": 1, "person": 2, "truck": 1}, 0)
    assert sum(counted) == 3
    content = json.loads(out.read_text())
    assert content["info"]["origin"] == {"teacher": "x"}
    assert [sorted(path.name for path in tmp_path.iterdir())] == [["images", "labels.json"]]
    dataset = load_coco(out, folder)
    assert dataset.names == NAMES
    np.testing.assert_allclose(dataset.samples[0].scores, [0.9124, 0.5])


def test_classes_are_chosen_renamed_and_merged(folder: Path, tmp_path: Path) -> None:
    """The second image's car and truck are one vehicle, the surer one; a person at the place is no rival."""
    found = {20: [*FOUND[20][:2], (1, 1, 20, 20, 0.5, CAR), (21, 21, 30, 30, 0.5, CAR)]}
    out = tmp_path / "labels.json"
    mapping = {"truck": "vehicle", "car": "vehicle"}
    label_images(Teacher(found), find_images(folder), out, classes=mapping)
    assert annotations(out)["sub/a.png"] == [
        ["vehicle", [0.0, 0.0, 20.0, 20.0], 0.7],
        ["vehicle", [21.0, 21.0, 9.0, 9.0], 0.5],
    ]
    label_images(Teacher(FOUND), find_images(folder), out, classes={"person": "person"})
    assert {name for labels in annotations(out).values() for name, _, _ in labels} == {"person"}
    assert json.loads(out.read_text())["categories"] == [{"id": 1, "name": "person"}]


def test_an_interrupted_run_goes_on(folder: Path, tmp_path: Path) -> None:
    image_files = find_images(folder)
    through, out = tmp_path / "through.json", tmp_path / "labels.json"
    label_images(Teacher(FOUND), image_files, through)
    with pytest.raises(KeyboardInterrupt):
        label_images(Teacher(FOUND, fail_at=20), image_files, out, batch=1)
    partial = tmp_path / "labels.json.partial"
    assert not out.exists()
    with partial.open("a") as file:
        file.write('{"file_name": "sub/a.p')  # as a sudden end leaves it
    teacher, counted = Teacher(FOUND), list[int]()
    label_images(teacher, image_files, out, batch=1, on_batch=counted.append)
    assert teacher.seen == [20]
    assert counted == [2, 1]
    assert out.read_text() == through.read_text()
    assert not partial.exists()


def test_other_settings_do_not_go_on_with_it(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    with pytest.raises(KeyboardInterrupt):
        label_images(Teacher(FOUND, fail_at=30), find_images(folder), out, batch=1)
    before = (tmp_path / "labels.json.partial").read_text()
    with pytest.raises(InputError, match=r"labels\.json\.partial: begun with other settings; delete it"):
        label_images(Teacher(FOUND), find_images(folder), out, score_threshold=0.5)
    assert (tmp_path / "labels.json.partial").read_text() == before


def test_what_cannot_be_read_is_left_out(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "c.png").write_bytes(b"no image")
    with caplog.at_level(logging.WARNING):
        summary = label_images(Teacher(FOUND), find_images(folder), tmp_path / "labels.json")
    assert (summary.images, summary.unreadable) == (2, 1)
    assert set(annotations(tmp_path / "labels.json")) == {"b.png", "sub/a.png"}
    (message,) = caplog.messages
    assert message.startswith("left out: ")
    assert "c.png" in message


def test_images_of_a_coco_file_keep_their_ids(tmp_path: Path) -> None:
    root = draw_set(tmp_path / "drawn")
    image_files = images_of(root / "annotations" / "val.json", root / "images")
    assert [(p.image_id, p.file_name) for p in image_files] == [(i, f"val-{i}.png") for i in (1, 2, 3)]
    label_images(Teacher({90: [(0, 0, 9, 9, 1.0, CAR)]}), image_files, tmp_path / "labels.json")
    assert [sample.image_id for sample in load_coco(tmp_path / "labels.json", root / "images").samples] == [1, 2, 3]


def test_images_are_labelled_as_training_sees_them(tmp_path: Path) -> None:
    """EXIF data that turn an image on a screen do not turn it here."""
    (tmp_path / "images").mkdir()
    path = tmp_path / "images" / "turned.jpg"
    cv2.imwrite(str(path), np.zeros((20, 40, 3), np.uint8))
    add_exif(path, 6)
    assert cv2.imread(str(path)).shape == (40, 20, 3)
    label_images(Teacher({}), find_images(tmp_path / "images"), tmp_path / "labels.json")
    (image,) = json.loads((tmp_path / "labels.json").read_text())["images"]
    assert (image["width"], image["height"]) == (40, 20)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"classes": {"persn": "person"}}, "the teacher knows no class 'persn', did you mean 'person'?"),
        ({"score_threshold": 1.5}, "the score threshold must be in 0..1, but got 1.5"),
    ],
)
def test_wrong_settings(folder: Path, tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        label_images(Teacher(FOUND), find_images(folder), tmp_path / "labels.json", **settings)
    assert str(caught.value) == said
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_a_folder_must_hold_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder of images"):
        find_images(tmp_path / "nowhere")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"no image in this folder"):
        find_images(tmp_path)
