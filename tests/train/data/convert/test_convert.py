"""Data sets go to another form and come back with the same boxes; what is lost is said."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from fusedet.configs import InputError
from fusedet.train.data.coco import load_coco
from fusedet.train.data.convert.convert import FORMATS, convert
from fusedet.train.data.convert.voc import read_voc
from fusedet.train.data.convert.yolo import read_yolo
from tests.test_real_data import folder
from tests.train.data.doctor.drawing import DrawnSet, add_exif, draw_clean_set

OTHERS = sorted(set(FORMATS) - {"coco"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Odd boxes, an area that is not a box's, a crowd region, a score, an image in a folder and one without boxes."""
    drawn = DrawnSet(draw_clean_set(tmp_path / "set", train=8, val=4))
    drawn.objects(0)[0]["bbox"] = [0.37, 1.91, 17.123, 33.3]
    drawn.objects(1)[0]["iscrowd"] = 1
    drawn.objects(2)[0]["score"] = 0.5
    (drawn.image_folder / "more").mkdir()
    drawn.path(3).rename(drawn.image_folder / "more" / "a b.jpg")
    drawn.image(3)["file_name"] = "more/a b.jpg"
    drawn.train["annotations"] = [a for a in drawn.train["annotations"] if a["image_id"] != 5]
    drawn.write()
    return drawn.root


def write(path: Path, text: str = "", size: tuple[int, int] = (20, 10)) -> Path:
    """A text, or a black image of that width and height, in a folder that is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".png", ".jpg"):
        cv2.imwrite(str(path), np.zeros((*size[::-1], 3), np.uint8))
    else:
        path.write_text(text)
    return path


def boxes(root: Path, split: str) -> dict[str, tuple[list[str], np.ndarray, list[bool], list[float]]]:
    """File name -> classes, boxes, crowd, scores."""
    data = load_coco(root / "annotations" / f"{split}.json", root / "images")
    return {
        s.path.relative_to(root / "images").as_posix(): (
            [data.names[i] for i in s.labels],
            s.boxes_xyxy,
            s.crowd.tolist(),
            s.scores.tolist(),
        )
        for s in data.samples
    }


@pytest.mark.parametrize("form", OTHERS)
def test_there_and_back(form: str, root: Path, tmp_path: Path) -> None:
    there = convert(root, tmp_path / "there", "coco", form)
    back = convert(tmp_path / "there", tmp_path / "back", form, "coco")
    assert max(there.error_px, back.error_px) < 1e-3
    assert back.lost == {}
    holds = FORMATS[form].holds
    want_lost = {"areas": 1, "crowd regions": 1, "scores": 1}
    assert there.lost == {what: count for what, count in want_lost.items() if what not in holds}
    for split in ("train", "val"):
        before, after = boxes(root, split), boxes(tmp_path / "back", split)
        assert before.keys() == after.keys()
        for name, (classes, xyxy, crowd, scores) in before.items():
            keep = [i for i in range(len(classes)) if "crowd regions" in holds or not crowd[i]]
            assert [classes[i] for i in keep] == after[name][0]
            np.testing.assert_allclose(xyxy[keep], after[name][1], atol=2e-3)
            assert [crowd[i] for i in keep] == after[name][2]
            if "scores" in holds:
                assert scores == pytest.approx(after[name][3])
    names = json.loads((tmp_path / "back" / "annotations" / "train.json").read_text())["categories"]
    assert [entry["name"] for entry in names] == ["box", "disc", "cross"]


@pytest.mark.parametrize(
    "name",
    ["raccoon", *(pytest.param(n, marks=pytest.mark.slow) for n in ("bccd", "coco80", "fruits", "playing_cards"))],
)
@pytest.mark.parametrize("form", ["yolo", "voc"])
def test_real_sets_there_and_back(name: str, form: str, tmp_path: Path) -> None:
    there = convert(folder(name), tmp_path / "there", "coco", form, link=True)
    back = convert(tmp_path / "there", tmp_path / "back", form, "coco", link=True)
    assert there.boxes == back.boxes
    assert max(there.error_px, back.error_px) < 0.01
    assert back.lost == {}
    crowd = 316 if name == "coco80" and form == "yolo" else 0
    assert there.lost == ({"crowd regions": crowd} if crowd else {})


def test_vocs_own_count_of_pixels(root: Path, tmp_path: Path) -> None:
    """Whole pixels, the first of which is 1 and the last of which is inside: half a pixel is lost at most."""
    done = convert(root, tmp_path / "voc", "coco", "voc", one_based=True)
    assert 0.1 < done.error_px <= 0.5
    first = ElementTree.parse(tmp_path / "voc" / "Annotations" / "train-1.xml").getroot()
    x, y, w, h = DrawnSet(root).objects(1)[0]["bbox"]
    edges = [int(first.findtext(f"object/bndbox/{key}") or "") for key in ("xmin", "ymin", "xmax", "ymax")]
    assert edges == [x + 1, y + 1, x + w, y + h]


def test_yolo_as_others_write_it(tmp_path: Path) -> None:
    """Names as a list, a path that leads astray, a polygon, an image without a file of labels."""
    for name in ("a", "b"):
        write(tmp_path / "train" / "images" / f"{name}.png", size=(200, 100))
    write(tmp_path / "train" / "labels" / "a.txt", "1 0.5 0.5 0.2 0.4\n0 0.1 0.1 0.3 0.1 0.3 0.5\n\n")
    write(tmp_path / "data.yaml", "train: ../train/images\nnc: 2\nnames: ['x', 'y']\n")
    (one,) = read_yolo(tmp_path)
    first, second = one.dataset.samples
    np.testing.assert_allclose(first.boxes_xyxy, [[80, 30, 120, 70], [20, 10, 60, 50]], atol=1e-4)
    assert first.labels.tolist() == [1, 0]
    assert len(second.labels) == 0
    assert one.extras == {"segmentations": 1}


def test_a_named_set_that_was_not_exported_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for split in ("train", "valid"):
        write(tmp_path / split / "images" / "a.png")
        write(tmp_path / split / "labels" / "a.txt", "0 0.5 0.5 0.5 0.5\n")
    sets = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    (tmp_path / "data.yaml").write_text(f"{sets}nc: 1\nnames: ['x']\n")
    assert [one.name for one in read_yolo(tmp_path)] == ["train", "val"]
    assert "../test/images" in caplog.text
    (tmp_path / "data.yaml").write_text("train: nowhere\nval: ../valid/images\nnames: ['x']\n")
    with pytest.raises(InputError, match="nowhere"):
        read_yolo(tmp_path)


def test_labels_beside_a_list_of_classes(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.png")
    write(tmp_path / "labels" / "a.txt", "0 0.5 0.5 1 1\n")
    write(tmp_path / "classes.txt", "dog\n")
    (one,) = read_yolo(tmp_path)
    assert (one.name, one.dataset.names, len(one.dataset.samples[0].labels)) == ("train", ("dog",), 1)


def test_voc_as_labelimg_writes_it(tmp_path: Path) -> None:
    """No lists, no size, somebody else's folder in the file name."""
    write(tmp_path / "images" / "a.jpg", size=(200, 100))
    write(
        tmp_path / "annotations" / "a.xml",
        "<annotation><filename>C:\\me\\a.jpg</filename><object><name>dog</name><bndbox><xmin>5</xmin><ymin>6</ymin>"
        "<xmax>50</xmax><ymax>60</ymax></bndbox></object></annotation>",
    )
    (one,) = read_voc(tmp_path)
    (sample,) = one.dataset.samples
    assert (sample.width, sample.height) == (200, 100)
    np.testing.assert_array_equal(sample.boxes_xyxy, [[5, 6, 50, 60]])


def test_open_images_has_codes_for_classes(root: Path, tmp_path: Path) -> None:
    convert(root, tmp_path / "oi", "coco", "openimages")
    table = tmp_path / "oi" / "train-annotations-bbox.csv"
    table.write_text(table.read_text().replace(",disc,", ",/m/0k4j,"))
    classes = tmp_path / "oi" / "class-descriptions-boxable.csv"
    classes.write_text(classes.read_text().replace("disc,disc", "/m/0k4j,disc"))
    validation = tmp_path / "oi" / "validation-annotations-bbox.csv"
    validation.write_text(validation.read_text().replace(",disc,", ",/m/0k4j,"))
    convert(tmp_path / "oi", tmp_path / "back", "openimages", "coco")
    assert boxes(root, "val").keys() == boxes(tmp_path / "back", "val").keys()
    assert boxes(root, "train")["train-1.jpg"][0] == boxes(tmp_path / "back", "train")["train-1.jpg"][0]
    with table.open() as file:
        assert {row["IsGroupOf"] for row in csv.DictReader(file)} == {"0", "1"}


def test_names_that_are_in_two_sets_are_kept_apart(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write(tmp_path / "images" / split / "1.png")
        write(tmp_path / "labels" / split / "1.txt", "0 0.5 0.5 0.5 0.5\n")
    write(tmp_path / "data.yaml", "train: images/train\nval: images/val\nnames: {0: dog}\n")
    convert(tmp_path, tmp_path / "coco", "yolo", "coco")
    images = tmp_path / "coco" / "images"
    assert sorted(images.rglob("*.png")) == [images / "train" / "1.png", images / "val" / "1.png"]
    convert(tmp_path / "coco", tmp_path / "voc", "coco", "voc")
    assert len(read_voc(tmp_path / "voc")) == 2


def test_turned_images_are_counted(root: Path, tmp_path: Path) -> None:
    add_exif(root / "images" / "train-0.jpg", 6)
    assert convert(root, tmp_path / "out", "coco", "yolo").turned == 1


YOLO = "train: images\nnames: [dog]\n"


@pytest.mark.parametrize(
    ("yaml", "labels", "message"),
    [
        ("train: [", "", "data.yaml: not YAML"),
        ("3", "", "data.yaml: expected keys like 'train' and 'names', but it holds a int"),
        ("train: images\n", "", "'names' must be a list of class names, but is None"),
        ("train: images\nnames: {1: dog}\n", "", "'names' must count from 0 without gaps"),
        ("train: images\nnames: [a, a]\n", "", "'names' has a name twice"),
        ("names: [dog]\n", "", "expected 'train' or 'val' with a folder of images"),
        ("train: nowhere\nnames: [dog]\n", "", "'nowhere': no such folder or list of images"),
        (YOLO, "0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.1\n", "a.txt:2: expected a class from 0 to 0, but found 1"),
        (YOLO, "dog 0.5 0.5 0.1 0.1\n", "a.txt:1: expected a class and numbers in 0..1"),
        (YOLO, "0 0.5 0.5 0.1\n", "a.txt:1: expected 4 numbers of a box or 6 and more of a polygon, but found 3"),
        (YOLO, "0 50 50 10 10\n", "a.txt:1: expected numbers in 0..1"),
    ],
)
def test_mistakes_in_yolo_sets(yaml: str, labels: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "set" / "images" / "a.png")
    write(tmp_path / "set" / "data.yaml", yaml)
    write(tmp_path / "set" / "labels" / "a.txt", labels)
    with pytest.raises(InputError) as caught:
        convert(tmp_path / "set", tmp_path / "out", "yolo", "coco")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("coco", "expected annotations/train.json"),
        ("yolo", "expected a data.yaml"),
        ("voc", "expected Annotations/*.xml"),
        ("openimages", "expected train-annotations-bbox.csv"),
    ],
)
def test_an_empty_folder(form: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(InputError, match="set: ") as caught:
        convert(tmp_path / "set", tmp_path / "out", form, "voc" if form == "coco" else "coco")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("form", "file", "data", "message"),
    [
        ("yolo", "data.yaml", b"train: images/train\nnames: [a, \xff]\n", "data.yaml:2: not text in UTF-8"),
        ("yolo", "data.yaml", b"train: images/train\nnames: {0: a, x: b}\n", "'names' must count from 0 without gaps"),
        ("yolo", "data.yaml", b"train: images/train\nnames: [a, [b]]\n", "'names' must hold texts"),
        ("yolo", "data.yaml", b"train: 2024-99-99\nnames: [a]\n", "data.yaml: not YAML: "),
        ("yolo", "data.yaml", b"!!int : images/train\n", "data.yaml: not YAML: "),
        ("yolo", "data.yaml", b"train: " + b"x" * 5000 + b"\nnames: [a]\n", "no such folder or list of images"),
        ("yolo", "labels/train/0.txt", b"0 .5 .5 .1 .1\n\xff\n", "0.txt:2: not text in UTF-8"),
        ("voc", "ImageSets/Main/train.txt", b"\xff\n", "train.txt:1: not text in UTF-8"),
        ("voc", "ImageSets/Main/train.txt", b"x" * 5000, "cannot be read: File name too long"),
        ("voc", "ImageSets/Main/train.txt", b"x" * 5000 + b"\0", "xxx: not XML that can be read: embedded null byte"),
        ("voc", "labels.txt", b"a\n\xff\n", "labels.txt:2: not text in UTF-8"),
        ("voc", "Annotations/0.xml", b"<?xml version='1.0' encoding='none'?><a/>", "0.xml"),
        (
            "openimages",
            "train-annotations-bbox.csv",
            b"ImageID,LabelName,XMin,XMax,YMin,YMax\n0,a,0.1\n",
            ":2: expected 6",
        ),
        ("openimages", "train-annotations-bbox.csv", b"ImageID,LabelName,\xff\n", "not text in UTF-8"),
    ],
)
def test_files_that_are_no_text(form: str, file: str, data: bytes, message: str, tmp_path: Path) -> None:
    root = tmp_path / "set"
    for folder_of_images in ("images/train", "JPEGImages", "train"):
        write(root / folder_of_images / "0.png")
    write(root / "Annotations" / "0.xml", "<annotation><filename>0.png</filename></annotation>")
    write(root / "data.yaml", "train: images/train\nnames: [a]\n")
    write(root / file).write_bytes(data)
    with pytest.raises(InputError) as caught:
        FORMATS[form].read(root)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000
