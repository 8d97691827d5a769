import json
from pathlib import Path

import onnx
import pytest

from fusedet.cli.main import main
from fusedet.deploy import Contract
from tests.commands import Refused
from tests.deploy.conftest import NAMES, build_model


def test_a_detector_that_is_right_scores_one(
    exported: Path, rectangles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    assert main(["eval", str(exported), "--data", str(rectangles), "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    for line in (
        "all classes  1.000  1.000",
        "  green      1.000  1.000",
        "AP small 1.000",
        "AP large -",
        "precision 1.00",
    ):
        assert line in printed
    figures = json.loads(out.read_text())
    assert figures["ap"] == pytest.approx(1)
    assert figures["ap_large"] is None, "no rectangle is that large"
    assert figures["operating_point"]["duplicates"] == 0
    assert figures["per_class"]["blue"] == pytest.approx({"ap": 1, "ap50": 1})


def test_duplicates_are_removed_unless_they_are_wanted(
    rectangles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "twice.onnx"
    # The second box is moved by a pixel: of the boxes of 32, 40 and 56 px that is an IoU of at least 0.93.
    onnx.save(build_model(Contract(NAMES, (64, 64)), scores=(0.8, 0.9)), model)

    def ap(*options: str) -> float:
        out = tmp_path / "figures.json"
        assert main(["eval", str(model), "--data", str(rectangles), "--json", str(out), "--force", *options]) == 0
        return float(json.loads(out.read_text())["ap"])

    assert ap() == ap("--duplicate-iou", "0.7") < ap("--duplicate-iou", "off")
    assert ap("--duplicate-iou", "0.99") == ap("--duplicate-iou", "1") == ap("--duplicate-iou", "off")


def choose_classes(rectangles: Path, names: list[str]) -> None:
    """Leaves only these classes in the annotations, numbered in this order."""
    path = rectangles / "annotations" / "val.json"
    content = json.loads(path.read_text())
    kept = {NAMES.index(name) + 1: number for number, name in enumerate(names, 1) if name in NAMES}
    content["categories"] = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    content["annotations"] = [
        {**one, "category_id": kept[one["category_id"]]} for one in content["annotations"] if one["category_id"] in kept
    ]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(("names", "left_out"), [(["green"], "red, blue"), (["blue", "red"], "green")])
def test_some_of_the_classes_in_any_order_are_evaluated_by_name(
    exported: Path, rectangles: Path, names: list[str], left_out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    choose_classes(rectangles, names)
    assert main(["eval", str(exported), "--data", str(rectangles)]) == 0
    said = capsys.readouterr().out
    assert "all classes  1.000" in said
    assert f"classes: {left_out}\n" in said


def test_classes_that_the_network_has_not_learned_are_left_out(
    exported: Path, rectangles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choose_classes(rectangles, ["green", "red", "yellow", "blue"])
    assert main(["eval", str(exported), "--data", str(rectangles)]) == 0
    said = capsys.readouterr().out
    assert "all classes  1.000" in said
    assert "the network does not know them: 1 of the data's classes: yellow\n" in said


def test_a_class_that_the_network_has_not_is_named_with_the_nearest(
    exported: Path, rectangles: Path, refused: Refused
) -> None:
    choose_classes(rectangles, ["green", "bleu"])
    refused(["eval", exported, "--data", rectangles], "its class 'bleu' is none of the 3", "did you mean 'blue'?")


def test_an_annotation_file_is_data_as_well(
    exported: Path, rectangles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = rectangles / "annotations" / "other.json"
    annotations.write_text((rectangles / "annotations" / "val.json").read_text())
    assert main(["eval", str(exported), "--data", str(annotations)]) == 0
    by_file = capsys.readouterr().out
    assert main(["eval", str(exported), "--data", str(rectangles), "--split", "other"]) == 0
    assert capsys.readouterr().out == by_file
    assert main(["eval", str(exported), "--data", str(annotations), "--images", str(rectangles / "images")]) == 0
    assert capsys.readouterr().out == by_file


@pytest.mark.parametrize("options", [[], ["--nms-free"]])
def test_a_run_folder_is_graded_on_either_branch(
    run_folder: Path, rectangles: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(run_folder), "--data", str(rectangles), "--batch", "2", *options]) == 0
    assert f"{run_folder / 'best.pt'} on " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--split", "test"], ["--data", "annotations/test.json", "there is none"]),
        (["--images", "nowhere"], ["--images", "nowhere"]),
        (["--duplicate-iou", "2"], ["--duplicate-iou: expected an IoU in 0..1 or off, but got '2'"]),
        (["--duplicate-iou", "none"], ["--duplicate-iou: expected an IoU in 0..1 or off, but got 'none'"]),
        (["--batch", "0"], ["--batch must be at least 1, but got 0"]),
        (["--nms-free"], ["--nms-free", "model.onnx"]),
        (["--json", "no/such/folder.json"], ["--json", "there is no folder no/such"]),
    ],
)
def test_mistakes(exported: Path, rectangles: Path, options: list[str], parts: list[str], refused: Refused) -> None:
    refused(["eval", exported, "--data", rectangles, *options], *parts)


def test_data_without_a_box_has_no_figures(
    exported: Path, rectangles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = rectangles / "annotations" / "val.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "annotations": []}))
    assert main(["eval", str(exported), "--data", str(rectangles)]) == 0
    printed = capsys.readouterr().out
    assert "no box to evaluate on" in printed
    assert "nan" not in printed
