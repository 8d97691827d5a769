"""Size and boxes of images that EXIF turns may be of the stored image or of the shown one; right boxes stay."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.train.config import DataConfig
from fusedet.train.data.doctor.check import validate_splits
from fusedet.train.data.doctor.checks.exif import Frame
from fusedet.train.data.doctor.copy import write_repaired
from fusedet.train.data.doctor.source import read_split
from fusedet.train.data.doctor.triage import triage
from tests.train.data.doctor.drawing import add_exif

WIDTH, HEIGHT = 80, 60
#: Boxes in an upright image of 60 x 80 pixels, and what is true of them.
TALL, SMALL = [10, 30, 20, 40], [5, 5, 20, 30]


def draw(root: Path, boxes: list[list[int]], orientation: int, size: Frame, frame: Frame) -> Path:
    """An image for each box, a white rectangle; EXIF shows it upright as 60 x 80 pixels, in which the box is given."""
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "box"}]}
    for i, (x, y, w, h) in enumerate(boxes, start=1):
        upright = np.zeros((WIDTH, HEIGHT) if orientation >= 5 else (HEIGHT, WIDTH), np.uint8)
        upright[y : y + h, x : x + w] = 255
        stored = untransform(upright, orientation)
        ys, xs = np.nonzero(stored)
        stored_box = [int(v) for v in (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)]
        height, width = (stored if size == "stored" else upright).shape
        content["images"].append({"id": i, "file_name": f"{i}.jpg", "width": width, "height": height})
        box = stored_box if frame == "stored" else [x, y, w, h]
        content["annotations"].append({"id": i, "image_id": i, "category_id": 1, "bbox": box})
        cv2.imwrite(str(root / "images" / f"{i}.jpg"), stored, [cv2.IMWRITE_JPEG_QUALITY, 100])
        add_exif(root / "images" / f"{i}.jpg", orientation)
    for split in ("train", "val"):
        (root / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return root


def untransform(upright: np.ndarray, orientation: int) -> np.ndarray:
    """The stored image that an EXIF orientation turns into this one."""
    undo = {
        **{2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.T},
        **{6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a, 2).T, 8: lambda a: np.rot90(a, -1)},
    }
    return np.ascontiguousarray(undo[orientation](upright))


def fix(root: Path, out: Path, exif_boxes: Frame | None = None) -> set[str]:
    """Writes the repaired copy; the kinds that were found."""
    split = read_split("train", root / "annotations" / "train.json", root / "images")
    report = validate_splits([split], exif_boxes=exif_boxes)
    write_repaired(report, out)
    return {finding.kind for finding in report.findings if finding.severity != "note"}


def assert_boxes_are_right(out: Path) -> None:
    """Each box of the copy is the white rectangle of its image as training reads it, of the annotated size."""
    content = json.loads((out / "annotations" / "train.json").read_text())
    for entry, annotation in zip(content["images"], content["annotations"], strict=True):
        file = str(out / "images" / entry["file_name"])
        image = cv2.imread(file, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
        assert image is not None
        assert (entry["height"], entry["width"]) == image.shape
        ys, xs = np.nonzero(image > 127)
        np.testing.assert_allclose(
            annotation["bbox"], [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1], atol=2, err_msg=file
        )


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("size", ["stored", "shown"])
@pytest.mark.parametrize("frame", ["stored", "shown"])
def test_boxes_decide_whose_they_are(orientation: int, size: Frame, frame: Frame, tmp_path: Path) -> None:
    root = draw(tmp_path / "set", [TALL, SMALL, [12, 20, 25, 30]], orientation, size, frame)
    kinds = {
        ("stored", "stored"): "exif-unturned",
        ("shown", "shown"): "exif-turned",
        ("stored", "shown"): "exif-boxes-shown",
        ("shown", "stored"): "exif-boxes-stored",
    }
    assert fix(root, tmp_path / "out") == {kinds[size, frame]}
    assert_boxes_are_right(tmp_path / "out")


@pytest.mark.parametrize("frame", ["stored", "shown"])
@pytest.mark.parametrize("orientation", [2, 3, 4, 6])
def test_where_boxes_fit_both_a_person_is_asked(orientation: int, frame: Frame, tmp_path: Path) -> None:
    root = draw(tmp_path / "set", [SMALL], orientation, "stored", frame)
    assert fix(root, tmp_path / "unasked") == {"exif-unclear"}
    before = (root / "images" / "1.jpg").read_bytes()
    assert (tmp_path / "unasked" / "images" / "1.jpg").read_bytes() == before, "left as it is"
    fix(root, tmp_path / "out", exif_boxes=frame)
    assert_boxes_are_right(tmp_path / "out")


def test_one_stray_box_does_not_speak_for_a_set(tmp_path: Path) -> None:
    """Ten boxes leave the shown image and fit the stored one; one hangs over the border of the stored one."""
    root = draw(tmp_path / "set", [[2 + i, 40, 12, 38] for i in range(11)], 6, "stored", "stored")
    path = root / "annotations" / "train.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"] = [5, 40, 20, 30]
    path.write_text(json.dumps(content))
    assert "exif-unturned" in fix(root, tmp_path / "out")


def test_training_does_not_begin_with_boxes_of_the_other_side(tmp_path: Path) -> None:
    root = draw(tmp_path / "set", [TALL, SMALL], 6, "stored", "shown")
    with pytest.raises(InputError, match=r"boxes of the image as shown.*--fix"):
        triage(DataConfig(root=root), (64, 64))
