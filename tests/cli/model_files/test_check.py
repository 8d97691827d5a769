"""``fusedet check``: exit code 0 where the file works, 1 where it does not, 2 where it cannot be told."""

import json
from pathlib import Path

import numpy as np
import pytest

from fusedet.cli.main import main
from fusedet.deploy import Detections, Detector
from fusedet.deploy.detector.self_test import SelfTest
from fusedet.export.proof.self_test import embed_self_test
from tests.deploy.conftest import COLORS_BGR


@pytest.fixture
def image() -> np.ndarray:
    image = np.zeros((64, 64, 3), np.uint8)
    image[8:40, 16:48] = COLORS_BGR[1]
    return image


def test_a_file_that_works(exported: Path, image: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    embed_self_test(SelfTest(image, Detector(exported)(image), 0.25), [exported])

    assert main(["check", str(exported)]) == 0
    assert capsys.readouterr().out.startswith(f"{exported}: passed: 1 boxes found again")
    assert main(["check", str(exported), "--json", "--threads", "1"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["passed"], result["expected"], result["faults"]) == (True, 1, [])


def test_a_file_that_does_not_work(exported: Path, image: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    found = Detector(exported)(image)
    moved = Detections(found.boxes_xyxy + 9, found.scores, found.class_ids, found.names)
    embed_self_test(SelfTest(image, moved, 0.25), [exported])

    assert main(["check", str(exported)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{exported}: FAILED"
    assert lines[1] == "  did not find green with score 0.90 at [25, 17, 57, 49]"
