"""Real sets: what is found there is there, looked at by people, and nothing else is found."""

import json
import time
from pathlib import Path

import pytest

from fusedet.train.data.doctor.finding import KINDS
from tests.test_real_data import folder
from tests.train.data.doctor.conftest import check
from tests.train.data.doctor.drawing import draw_clean_set

#: Set -> (kind, file, annotation) of each true fault: images that were seen side by side, boxes that were drawn.
TRUE_FAULTS: dict[str, set[tuple[str, str, int | None]]] = {
    # One field under the microscope, moved by a few pixels, in train and in val.
    "bccd": {("leak", "BloodImage_00038.jpg", None)},
    "fruits": set(),
    # The same photographs under two or three names, some of them smaller; their boxes differ by up to 40 pixels.
    "raccoon": {("duplicate-image", f"raccoon-{i}.jpg", None) for i in (45, 52, 74, 83, 98, 116)},
    # One scene, photographed twice without a change.
    "playing_cards": {("duplicate-image", "cam_image54.jpg", None)},
    # One snowboarder with two boxes, as in COCO.
    "coco80": {("duplicate-box", "000000043314.jpg", 10474)},
}


#: Those that take seconds.
LARGE = ("bccd", "fruits", "coco80")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in TRUE_FAULTS])
def test_only_true_faults_are_found(name: str) -> None:
    report = check(folder(name), input_size=320)
    serious = [finding for finding in report.findings if finding.severity != "note"]
    assert {(f.kind, f.file, f.annotation_id) for f in serious} == TRUE_FAULTS[name]


@pytest.mark.slow
def test_labels_of_detectors_are_told_as_they_are() -> None:
    """Two detectors may have found one object: boxes upon boxes, and nothing else."""
    report = check(folder("pool"), input_size=320)
    assert {f.kind for f in report.findings if KINDS[f.kind].severity != "note"} == {"duplicate-box"}


@pytest.mark.slow
def test_five_thousand_images_take_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = draw_clean_set(tmp_path / "set", train=4500, val=500)
    start = time.perf_counter()
    fast = check(root, fast=True)
    middle = time.perf_counter()
    whole = check(root)
    end = time.perf_counter()
    assert not fast.findings
    assert not whole.findings
    with capsys.disabled():
        print(f"\n5000 drawn images of 128x96: {middle - start:.1f} s fast, {end - middle:.1f} s in all")
    assert middle - start < 20
    assert end - middle < 120
    assert json.loads((root / "annotations" / "train.json").read_text())["images"]
