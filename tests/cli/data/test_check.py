"""``fusedet data check`` and what ``fusedet train`` says of its data, as a user meets them."""

import json
import re
import shutil
from pathlib import Path

import pytest

from fusedet.cli.main import main
from tests.commands import Refused, contents
from tests.train.data.doctor.drawing import DrawnSet
from tests.train.data.doctor.faults import FAULTS


def spoil(*names: str) -> None:
    drawn = DrawnSet(Path("drawn"))
    for name in names:
        FAULTS[name].plant(drawn)
    drawn.write()


def test_a_clean_set(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "drawn", "--strict"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("train: 55 images, 165 boxes\nval: 20 images, 60 boxes\n")
    assert said.out.endswith("\n1 note\n")
    assert said.err == ""


def test_faults_are_told_worst_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("half outside", "wrong size", "two classes")
    assert main(["data", "check", "drawn"]) == 1
    said = capsys.readouterr().out
    assert "train: train-18.jpg, image 19: expected 300x96 pixels, as annotated, found 128x96 pixels" in said
    assert "train-40.jpg, image 41, annotation 121" in said
    places = [said.index(part) for part in ("error: 1 x", "warning: 1 x", "note: 1 x")]
    assert places == sorted(places)
    assert said.endswith(
        "1 error, 1 warning, 2 notes\n--fix FOLDER writes a copy in which 2 findings are mended or left out\n"
    )


def test_exit_codes(here: Path) -> None:
    spoil("half outside")
    assert main(["data", "check", "drawn"]) == 0
    assert main(["data", "check", "drawn", "--strict"]) == 1
    spoil("annotation of no class")
    assert main(["data", "check", "drawn"]) == 1


def test_only_the_first_of_many_are_listed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = DrawnSet(Path("drawn"))
    for i in range(12):
        drawn.objects(i)[0]["bbox"] = [120, 10, 40, 20]
    drawn.write()
    main(["data", "check", "drawn", "--fast"])
    said = capsys.readouterr().out
    assert "warning: 12 x boxes partly outside" in said
    assert "and 9 more" in said
    assert "images were not opened" in said


def test_the_json_file_holds_every_finding(here: Path) -> None:
    spoil("half outside", "a copy to grade")
    main(["data", "check", "drawn", "--json", "check.json", "--input-size", "64"])
    content = json.loads(Path("check.json").read_text())
    assert content["counts"]["warning"] == 2
    assert content["input_size"] == [64, 64]
    assert content["statistics"]["train"]["boxes_per_class"] == {"box": 55, "disc": 55, "cross": 55}
    (leak,) = [finding for finding in content["findings"] if finding["kind"] == "leak"]
    assert leak["file"] == "train-45.jpg"
    assert leak["other"] == ["val", 20]


def test_the_page_needs_nothing_else(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(*FAULTS)
    assert main(["data", "check", "drawn", "--page", "check.html"]) == 1
    assert capsys.readouterr().out.endswith("written: check.html\n")
    page = Path("check.html").read_text()
    assert page.count("data:image/jpeg;base64,") > 40
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "train-18.jpg" in page
    assert "<html>not found" not in page, "what stands in a file is text, not HTML"


def test_a_repaired_copy_trains(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("parts of the image", "no such file", "half a JPEG")
    before = contents(Path("drawn"))
    assert main(["data", "check", "drawn", "--fix", "fixed", "--leave-out"]) == 1
    assert "fixed: 3 findings fixed, told in fixed/fixes.md; the copy: 1 note" in capsys.readouterr().out
    assert contents(Path("drawn")) == before
    assert main(["train", "tiny.yaml", "data.root=fixed"]) == 0


def test_a_copy_that_would_lack_annotated_images_is_asked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("no such file", "half a JPEG")
    assert main(["data", "check", "drawn", "--fix", "new/fixed"]) == 2
    said = capsys.readouterr().err
    assert "lack 2 of 55 annotated images of train, first train-13.jpg (files that are annotated but not there" in said
    assert "--leave-out" in said
    assert not Path("new").exists(), "nothing is left of what was not written"
    assert main(["data", "check", "drawn", "--fix", "new/fixed", "--leave-out"]) == 1


def test_paths_of_a_tool_are_mended_and_training_says_how(here: Path, refused: Refused) -> None:
    drawn = DrawnSet(Path("drawn"))
    for content in drawn.content.values():
        for entry in content["images"]:
            entry["file_name"] = f"images\\1/{entry['file_name']}"
    drawn.write()
    refused(["train", "tiny.yaml"], "train-0.jpg", "55 of 55", "fusedet data check drawn --fix")
    assert main(["data", "check", "drawn", "--fix", "fixed"]) == 1
    assert main(["data", "check", "fixed", "--strict"]) == 0
    assert len(list(Path("fixed/images").iterdir())) == 75


def test_files_that_lie_elsewhere(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.move("drawn/annotations/train.json", "t.json")
    shutil.move("drawn/annotations/val.json", "v.json")
    shutil.move("drawn/images", "images")
    Path("more").mkdir()
    for path in Path("images").glob("val-*"):
        path.rename(Path("more") / path.name)
    words = ["data", "check", "--train", "t.json", "--val", "v.json", "--images", "images", "--val-images", "more"]
    assert main([*words, "--strict", "--fix", "fixed"]) == 0
    assert sorted(path.name for path in Path("fixed/images").iterdir()) == ["train", "val"]
    capsys.readouterr()
    assert main(["data", "check", "fixed", "--strict"]) == 0
    assert main(["data", "check", "fixed/annotations/val.json"]) == 0


def test_images_of_another_set_are_not_left_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "drawn/annotations/train.json", "--strict"]) == 0
    assert "unlisted" not in capsys.readouterr().out


def test_training_tells_of_warnings(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("half outside")
    assert main(["train", "tiny.yaml"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("data: 1 x boxes partly outside their image (fusedet data check drawn tells more)\n")
    assert said.err == ""


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["expected DATA, a folder or a COCO file, or --train FILE"]),
        (["nowhere"], ["nowhere: expected a COCO annotation file, or a folder with annotations/train.json"]),
        (["tiny.yaml"], ["tiny.yaml: broken JSON at line 1"]),
        (["drawn/annotations/val.json", "--train", "x.json"], ["--train and --val have no place beside it"]),
        (["drawn", "--images", "nowhere"], ["nowhere: no such folder of images"]),
        (["drawn", "--input-size", "3"], ["--input-size must be at least 32, but got 3"]),
        (["drawn", "--fix", "x", "--fast"], ["--fix needs the images opened"]),
        (["drawn", "--link"], ["it needs --fix DIR"]),
        (["drawn", "--leave-out"], ["it needs --fix DIR"]),
        (["drawn", "--fix", "drawn"], ["drawn: exists already"]),
        (["drawn", "--json", "tiny.yaml"], ["--json tiny.yaml: this file exists"]),
        (["drawn", "--page", "no/check.html"], ["there is no folder no"]),
    ],
)
def test_wrong_input(arguments: list[str], parts: list[str], here: Path, refused: Refused) -> None:
    refused(["data", "check", *arguments], *parts)
