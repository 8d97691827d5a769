"""OpenVINO's form of an export finds what the ONNX file finds, and proves it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fusedet.cli.main import main
from fusedet.common.errors import InputError
from fusedet.deploy import Detector
from fusedet.deploy.bench.timing import time_files
from fusedet.deploy.detector.self_test import run_self_test
from fusedet.export import ExportError, export_certified
from fusedet.export.proof.images import draw_images
from tests.export.networks import NAMES, small_config, trained_net
from tests.export.test_pipeline import save

openvino = pytest.importorskip("openvino")

IMAGES = draw_images(4, seed=3)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(trained_net(small_config()), tmp_path_factory.mktemp("net") / "best.pt")


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openvino")
    export_certified(checkpoint, folder, real_images=IMAGES, openvino=("f32", "bf16"))
    return folder


def test_it_finds_the_same_boxes(exported: Path) -> None:
    one, other = (Detector(exported / name, score_threshold=0.05) for name in ("best.fused.onnx", "best.xml"))
    assert other.names == one.names
    for image in IMAGES.values():
        expected, found = one(image), other(image)
        assert len(found) == len(expected) > 0
        np.testing.assert_allclose(found.boxes_xyxy, expected.boxes_xyxy, atol=0.01)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
        np.testing.assert_array_equal(found.class_ids, expected.class_ids)


def test_both_precisions_are_certified_and_test_themselves(exported: Path) -> None:
    facts = json.loads((exported / "best.certificate.json").read_text())
    agreement = {one["between"][1]: one for one in facts["agreement"]}
    assert agreement["openvino f32"]["matched_share"] == 1.0
    assert {"openvino f32", "openvino bf16"} <= set(facts["files"]) & set(facts["latency_ms"]) & set(agreement)
    for name in ("best.xml", "best.bf16.xml"):
        assert run_self_test(exported / name).passed


def test_commands_take_the_file(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(exported / "best.xml")
    for command in (["check", file], ["info", file], ["bench", file, "--seconds", "0.2"]):
        assert main(command) == 0, command
    assert ", ".join(NAMES) in capsys.readouterr().out
    assert len(time_files({"xml": exported / "best.xml"}, rounds=2)["xml"]) == 2


def test_what_cannot_be_used_is_said(exported: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.xml"
    alone.write_bytes((exported / "best.xml").read_bytes())
    with pytest.raises(InputError, match=r"alone\.xml: its weights, alone\.bin, must lie beside it"):
        Detector(alone)
    (tmp_path / "alone.bin").write_bytes(b"short")
    with pytest.raises(InputError, match=r"alone\.xml: not a file that OpenVINO can run"):
        Detector(alone)


def test_other_boxes_are_refused(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fusedet.deploy.detector.runtimes.openvino import OpenVinoSession

    run = OpenVinoSession.run

    def shifted(*given: Any) -> list[Any]:
        boxes, *others = run(*given)
        return [boxes * 1.05, *others]

    monkeypatch.setattr(OpenVinoSession, "run", shifted)
    with pytest.raises(ExportError, match="fused and openvino f32"):
        export_certified(checkpoint, tmp_path, real_images=IMAGES, openvino=("f32",))
    assert not list(tmp_path.glob("*.xml"))
    assert not list(tmp_path.glob("best.bin"))
