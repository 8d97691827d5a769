"""``fusedet data label`` as it is typed."""

import json
import shutil
from pathlib import Path

import onnx
import pytest

from fusedet.cli.main import main
from fusedet.deploy import Contract
from fusedet.train.data.coco import load_coco
from tests.cli.conftest import BOXES
from tests.commands import Refused
from tests.deploy.conftest import NAMES, build_model
from tests.train.labelling.test_footage import record, scene


def boxes(path: Path, images: Path) -> list[list[float]]:
    return [box.tolist() for sample in load_coco(path, images).samples for box in sample.boxes_xyxy]


def test_an_exported_file_labels_a_folder(
    exported: Path, rectangles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.json"
    assert main(["data", "label", str(exported), str(rectangles / "images"), "--out", str(out), "--score", "0.5"]) == 0
    printed = capsys.readouterr().out
    assert f"{out}: 3 boxes in 3 images" in printed
    assert f"  {NAMES[0]}: 1\n" in printed
    assert boxes(out, rectangles / "images") == [list(map(float, box)) for box in BOXES]
    content = json.loads(out.read_text())
    assert content["info"]["origin"]["teacher 1"].startswith("model.onnx, SHA-256 ")
    assert {annotation["score"] for annotation in content["annotations"]} == {0.9}


def test_labels_teach_and_grade(exported: Path, rectangles: Path, tmp_path: Path) -> None:
    """The file goes where annotations of people go."""
    out = tmp_path / "labels.json"
    annotations = rectangles / "annotations" / "val.json"
    assert main(["data", "label", str(exported), str(annotations), "--out", str(out)]) == 0
    assert [image["id"] for image in json.loads(out.read_text())["images"]] == [0, 1, 2]
    assert main(["eval", str(exported), "--data", str(out), "--images", str(rectangles / "images")]) == 0


def test_a_checkpoint_and_an_ensemble_are_teachers(
    run_folder: Path, exported: Path, rectangles: Path, tmp_path: Path
) -> None:
    image_files = str(rectangles / "images")
    assert main(["data", "label", str(run_folder), image_files, "--out", str(tmp_path / "a.json")]) == 0
    second = tmp_path / "second.onnx"
    onnx.save(build_model(Contract(names=NAMES, input_size=(64, 64)), scores=(0.7,)), second)
    assert main(["data", "label", str(exported), str(second), image_files, "--out", str(tmp_path / "b.json")]) == 0
    scores = [annotation["score"] for annotation in json.loads((tmp_path / "b.json").read_text())["annotations"]]
    assert scores == pytest.approx([0.8] * 3)


def test_classes_are_chosen(exported: Path, rectangles: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    command = ["data", "label", str(exported), str(rectangles / "images"), "--out", str(out)]
    assert main([*command, "--classes", f"{NAMES[2]}, {NAMES[0]}=square"]) == 0
    content = json.loads(out.read_text())
    assert [category["name"] for category in content["categories"]] == [NAMES[2], "square"]
    assert [annotation["category_id"] for annotation in content["annotations"]] == [2, 1]


def test_a_image_that_cannot_be_read_is_told(
    exported: Path, rectangles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    shutil.copytree(rectangles / "images", images)
    (images / "1.png").write_bytes(b"")
    assert main(["data", "label", str(exported), str(images), "--out", str(tmp_path / "labels.json")]) == 1
    assert "left out: 1 images that could not be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["data"], ["no command is called 'data'", "data label"]),
        (["data", "labl"], ["no command is called 'data labl'", "did you mean 'data label'?"]),
        (["data", "label", "{model}", "--out", "x.json"], ["required: IMAGES"]),
        (["data", "label", "{model}", "{images}"], ["required: --out"]),
        (["data", "label", "no.onnx", "{images}", "--out", "x.json"], ["no.onnx: no such model file"]),
        (["data", "label", "{model}", "nowhere", "--out", "x.json"], ["nowhere: no such folder of images"]),
        (["data", "label", "{model}", "{images}", "--out", "no/x.json"], ["--out no/x.json", "no folder no"]),
        (["data", "label", "{model}", "{images}", "--out", "{model}"], ["--out", "this file exists", "--force"]),
        (["data", "label", "{model}", "{images}", "--out", "x.json", "--score", "1.2"], ["--score", "1.2"]),
        (["data", "label", "{model}", "{images}", "--out", "x.json", "--batch", "0"], ["--batch", "0"]),
        (["data", "label", "{model}", "{images}", "--out", "x.json", "--images", "."], ["--images", "folder itself"]),
        (["data", "label", "{model}", "{images}", "--out", "x.json", "--classes", "a,,b"], ["--classes", "''"]),
        (["data", "label", "{model}", "{images}", "--out", "x.json", "--classes", "a=b,a"], ["names 'a' twice"]),
        (["data", "label", "{model}", "{images}", "--out", "x.json", "--classes", "gren"], ["did you mean 'green'?"]),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    parts: list[str],
    exported: Path,
    rectangles: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
) -> None:
    monkeypatch.chdir(exported.parent)
    refused([word.format(model=exported, images=rectangles / "images") for word in arguments], *parts)


def test_footage_becomes_a_set(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "recordings" / "gate.avi", [scene(0), scene(1)])
    out = tmp_path / "set" / "annotations" / "all.json"
    command = ["data", "label", str(exported), str(tmp_path / "recordings"), "--out", str(out)]
    assert main([*command, "--every", "0.5"]) == 0
    images = tmp_path / "set" / "images"
    assert f"{images}: 2 frames of 1 video; 2 more show nothing new" in capsys.readouterr().out
    samples = load_coco(out, images).samples
    assert sorted(sample.path.name for sample in samples) == ["gate-000000.00.jpg", "gate-000001.00.jpg"]
    assert main(["data", "view", str(tmp_path / "set"), "--split", "all", "--out", str(tmp_path / "sheet.jpg")]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recordings", "--out", "all.json"], "expected a file in a folder annotations/"),
        (["recordings", "--out", "all.json", "--every", "0"], "--every must be above 0 seconds, but got 0"),
        (["images", "--out", "all.json", "--every", "1"], "--every is for footage, but there is no video in"),
    ],
)
def test_mistakes_about_footage(
    exported: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(exported.parent)
    record(Path("recordings/gate.avi"), [scene(0)])
    Path("images").mkdir()
    Path("images/a.png").touch()
    refused(["data", "label", exported, *arguments], message)
