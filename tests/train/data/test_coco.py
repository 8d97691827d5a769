import copy
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.train.data.coco import CocoDataset, check_same_categories, is_crowd, load_coco
from fusedet.train.data.dataset import collate
from fusedet.train.data.transforms import Example
from fusedet.train.evaluation.metrics import evaluate_detections
from tests.train.samples import detections

#: A black image without an object.
EXAMPLE = (np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))

CONTENT: dict[str, Any] = {
    "images": [
        {"id": 20, "file_name": "b.png", "width": 100, "height": 50},
        {"id": 10, "file_name": "sub/a.png", "width": 40, "height": 60},
        {"id": 30, "file_name": "c.png", "width": 10, "height": 10},
    ],
    "categories": [{"id": 90, "name": "dog"}, {"id": 4, "name": "cat"}],
    "annotations": [
        {"id": 1, "image_id": 20, "category_id": 90, "bbox": [10, 20, 30, 10], "area": 250, "iscrowd": 0},
        {"id": 2, "image_id": 20, "category_id": 4, "bbox": [0, 0, 5.5, 6], "iscrowd": 1},
        {"id": 3, "image_id": 10, "category_id": 4, "bbox": [1, 2, 3, 4]},
    ],
}


def write(root: Path, content: object, images: tuple[str, ...] = ("b.png", "sub/a.png", "c.png")) -> tuple[Path, Path]:
    folder = root / "images"
    (folder / "sub").mkdir(parents=True, exist_ok=True)
    for name in images:
        (folder / name).touch()
    path = root / "train.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path, folder


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    change(content)
    return content


def test_sparse_ids_become_indices_in_the_order_of_the_ids(tmp_path: Path) -> None:
    path, images = write(tmp_path, CONTENT)
    dataset = load_coco(path, images)
    assert dataset.names == ("cat", "dog")
    assert dataset.category_ids == (4, 90)
    assert [sample.source_id for sample in dataset.samples] == [20, 10, 30]
    assert [sample.image_id for sample in dataset.samples] == [2, 1, 3]
    first, second, empty = dataset.samples
    assert (first.path, first.width, first.height) == (images / "b.png", 100, 50)
    np.testing.assert_array_equal(first.boxes_xyxy, [[10, 20, 40, 30], [0, 0, 5.5, 6]])
    np.testing.assert_array_equal(first.labels, [1, 0])
    np.testing.assert_array_equal(first.crowd, [False, True])
    np.testing.assert_array_equal(first.areas, [250, 33])
    assert second.path == images / "sub" / "a.png"
    assert empty.boxes_xyxy.shape == (0, 4)
    assert [array.dtype for array in (empty.boxes_xyxy, empty.labels, empty.crowd, empty.areas)] == [
        np.float32,
        np.int64,
        np.bool_,
        np.float32,
    ]


def test_ground_truth_has_small_numbers_as_ids(tmp_path: Path) -> None:
    truth = load_coco(*write(tmp_path, CONTENT)).ground_truth()
    assert [(a["image_id"], a["category_id"], a["bbox"], a["area"], a["iscrowd"]) for a in truth["annotations"]] == [
        (2, 2, [10, 20, 30, 10], 250, 0),
        (2, 1, [0, 0, 5.5, 6], 33, 1),
        (1, 1, [1, 2, 3, 4], 12, 0),
    ]
    assert truth["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert [image["id"] for image in truth["images"]] == [2, 1, 3]
    assert len({a["id"] for a in truth["annotations"]}) == 3
    json.dumps(truth)


def with_ids(images: list[object], categories: list[object]) -> dict[str, Any]:
    """The three images and two categories by other ids, in the order of ``CONTENT``."""
    new_image = dict(zip((20, 10, 30), images, strict=True))
    new_category = dict(zip((90, 4), categories, strict=True))
    content = copy.deepcopy(CONTENT)
    for entry in content["images"]:
        entry["id"] = new_image[entry["id"]]
    for entry in content["categories"]:
        entry["id"] = new_category[entry["id"]]
    for entry in content["annotations"]:
        entry.update(image_id=new_image[entry["image_id"]], category_id=new_category[entry["category_id"]])
        entry["id"] = 10**25 + entry["id"]
    return content


@pytest.mark.parametrize(
    ("images", "categories"),
    [
        ([2**53 + 2, 2**53 + 1, 2**53 + 3], [2**53 + 2, 2**53 + 1]),
        ([1700000000123456791, 1700000000123456790, 1700000000123456792], [2**62 + 1, 2**62]),
        ([2**63 + 1, 2**63, 2**64], [2**63 + 1, 2**63]),
        ([-2, -(2**70), 0], [0, -1]),
        ([2.0, 1.0, 3.0], [2.0, 1.0]),
    ],
    ids=["above 2**53", "nanoseconds", "above 2**63", "negative", "floats of whole numbers"],
)
def test_ids_of_any_size_mean_the_same_set(images: list[object], categories: list[object], tmp_path: Path) -> None:
    usual = load_coco(*write(tmp_path, CONTENT))
    dataset = load_coco(*write(tmp_path, with_ids(images, categories)))
    assert dataset.ground_truth() == usual.ground_truth()
    assert [sample.source_id for sample in dataset.samples] == images
    found = {sample.image_id: detections([[10, 20, 40, 30]], [0.9], [1], dataset.names) for sample in dataset.samples}
    assert evaluate_detections(dataset, found).summary() == pytest.approx(
        evaluate_detections(usual, found).summary(), nan_ok=True
    )
    assert max(collate([Example(*EXAMPLE)] * 3, [s.image_id for s in dataset.samples]).image_ids) == 3


def test_messages_name_the_ids_of_the_file(tmp_path: Path) -> None:
    content = with_ids([2**63 + 1, 2**63, 2**64], [2**63 + 1, 2**63])
    content["annotations"][2]["image_id"] = 2**65
    with pytest.raises(InputError, match=f"annotation {10**25 + 3}: there is no image {2**65}"):
        load_coco(*write(tmp_path, content))
    content["images"][0].pop("width")
    with pytest.raises(InputError, match=f"image {2**63 + 1} has no 'width'"):
        load_coco(*write(tmp_path, content))


def test_boxes_are_clipped_and_what_has_no_area_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    boxes = [[-5, -5, 20, 20], [90, 40, 50, 50], [10, 10, 0, 5], [10, 10, -3, 5], [200, 10, 5, 5], [0, 0, 1, 1]]
    content = changed(lambda c: c.update(annotations=[{**CONTENT["annotations"][0], "bbox": box} for box in boxes]))
    path, images = write(tmp_path, content)
    with caplog.at_level(logging.WARNING):
        sample = load_coco(path, images).samples[0]
    np.testing.assert_array_equal(sample.boxes_xyxy, [[0, 0, 15, 15], [90, 40, 100, 50], [0, 0, 1, 1]])
    assert caplog.messages == [f"{path}: left out 3 boxes without an area inside their image"]


def test_a_repeated_class_name_gets_its_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, images = write(tmp_path, changed(lambda c: c["categories"].append({"id": 0, "name": "dog"})))
    dataset = load_coco(path, images)
    assert dataset.names == ("dog (0)", "cat", "dog (90)")
    assert "['dog']" in caplog.text


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    assert load_coco(*write(tmp_path, "\ufeff" + json.dumps(CONTENT))).names == ("cat", "dog")


WRONG: list[tuple[str, object, str]] = [
    ("broken", '{"images": [,', "broken JSON at line 1, column 13"),
    ("empty", "", "broken JSON at line 1, column 1"),
    ("list", [], "expected a COCO dictionary, but the file holds a list"),
    ("no categories", changed(lambda c: c.pop("categories")), "the key 'categories' is missing"),
    ("images a dict", changed(lambda c: c.update(images={})), "'images' must be a list, but is a dict"),
    ("image a number", changed(lambda c: c["images"].insert(1, 5)), "images[1] must be a dictionary, but is 5"),
    ("no images", changed(lambda c: c.update(images=[])), "'images' is empty"),
    ("no classes", changed(lambda c: c.update(categories=[])), "'categories' is empty"),
    ("two images", changed(lambda c: c["images"].append(c["images"][0])), "two images have the id 20"),
    ("two classes", changed(lambda c: c["categories"].append(c["categories"][0])), "two categories have the id 90"),
    ("nameless", changed(lambda c: c["categories"][0].pop("name")), "category 90: 'name' must be a text, but is None"),
    ("text id", changed(lambda c: c["images"][0].update(id="x1")), "'id' must be a whole number, but is 'x1'"),
    ("no width", changed(lambda c: c["images"][0].pop("width")), "image 20 has no 'width'"),
    ("flat", changed(lambda c: c["images"][0].update(height=0)), "'height' must be a whole number of at least 1"),
    ("no file", changed(lambda c: c["images"][0].update(file_name="")), "image 20: 'file_name' must be a text"),
    ("unknown image", changed(lambda c: c["annotations"][2].update(image_id=11)), "annotation 3: there is no image 11"),
    ("unknown class", changed(lambda c: c["annotations"][2].update(category_id=1)), "annotation 3: there is no categ"),
    ("text class", changed(lambda c: c["annotations"][2].update(category_id="4")), "annotation 3: 'category_id' must"),
    ("true class", changed(lambda c: c["annotations"][2].update(category_id=True)), "annotation 3: 'category_id' must"),
    (
        "no box",
        changed(lambda c: c["annotations"][1].pop("bbox")),
        "annotation 2: 'bbox' must be [x, y, width, height]",
    ),
    ("short box", changed(lambda c: c["annotations"][1].update(bbox=[1, 2, 3])), "but is [1, 2, 3]"),
    ("text box", changed(lambda c: c["annotations"][1].update(bbox=[1, 2, 3, "4"])), "but is [1, 2, 3, '4']"),
    ("NaN box", changed(lambda c: c["annotations"][1].update(bbox=[1, 2, 3, float("nan")])), "but is [1, 2, 3, nan]"),
    ("infinite", changed(lambda c: c["annotations"][1].update(bbox=[1, 2, 3, float("inf")])), "but is [1, 2, 3, inf]"),
    ("huge", changed(lambda c: c["annotations"][1].update(bbox=[1, 2, 3, 10**400])), "but is [1, 2, 3, 1000"),
    ("no id", changed(lambda c: c["annotations"].append({})), "annotations[3] has no 'image_id'"),
]


@pytest.mark.parametrize(("content", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_annotations(tmp_path: Path, content: object, message: str) -> None:
    path, images = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        load_coco(path, images)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("annotations", "images", "message"),
    [
        ("none.json", "images", "none.json: no such annotation file"),
        ("images", "images", "cannot be read: Is a directory"),
        ("latin.json", "images", "not UTF-8 text at byte 7"),
        ("train.json", "none", "none: no such folder of images"),
    ],
)
def test_files_and_folders_that_cannot_be(tmp_path: Path, annotations: str, images: str, message: str) -> None:
    write(tmp_path, CONTENT)
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(InputError, match=message):
        load_coco(tmp_path / annotations, tmp_path / images)


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (("b.png", "sub/a.png"), "an image is missing, first {images}/c.png"),
        (("c.png",), "2 images are missing, first {images}/b.png"),
    ],
)
def test_missing_images_are_counted(tmp_path: Path, present: tuple[str, ...], message: str) -> None:
    path, images = write(tmp_path, CONTENT, present)
    with pytest.raises(InputError) as caught:
        load_coco(path, images)
    assert str(caught.value) == f"{path}: " + message.format(images=images)


@pytest.mark.parametrize(
    "annotations",
    [[], [{**CONTENT["annotations"][0], "iscrowd": 1}], [{**CONTENT["annotations"][0], "bbox": [0, 0, 0, 0]}]],
    ids=["none", "only crowd", "only empty"],
)
def test_training_needs_an_object(tmp_path: Path, annotations: list[dict[str, Any]]) -> None:
    path, images = write(tmp_path, changed(lambda c: c.update(annotations=annotations)))
    assert len(load_coco(path, images).samples) == 3
    with pytest.raises(InputError, match="training needs objects"):
        load_coco(path, images, require_boxes=True)


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ([{"id": 4, "name": "cat"}], "category 90 is missing here and 'dog' there"),
        (
            [{"id": 4, "name": "cat"}, {"id": 90, "name": "dog"}, {"id": 91, "name": "owl"}],
            "category 91 is 'owl' here and missing there",
        ),
        ([{"id": 4, "name": "dog"}, {"id": 90, "name": "cat"}], "category 4 is 'dog' here and 'cat' there"),
    ],
)
def test_both_halves_must_mean_the_same_classes(tmp_path: Path, categories: list[dict[str, Any]], message: str) -> None:
    train = load_coco(*write(tmp_path, CONTENT))
    check_same_categories(train, train)
    ids, names = tuple(c["id"] for c in categories), tuple(c["name"] for c in categories)
    with pytest.raises(InputError) as caught:
        check_same_categories(train, CocoDataset(names, ids, train.samples, Path("val.json")))
    assert str(caught.value).startswith(f"val.json: its categories must be those of {train.source}")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "crowd"),
    [(1, True), (True, True), ("1", True), ("true", True), (0, False), ("0", False), (None, False), ([], False)],
)
def test_a_region_of_many_objects_may_be_said_in_words(value: object, crowd: bool) -> None:
    assert is_crowd({"iscrowd": value}) is crowd
