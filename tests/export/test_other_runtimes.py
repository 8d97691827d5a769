"""Forms for other runtimes find what the ONNX file finds, and prove it."""

import json
from pathlib import Path
from typing import Any

import pytest

from fusedet.cli.main import main
from fusedet.common.errors import InputError
from fusedet.deploy import Detector
from fusedet.deploy.detector.runtimes.ncnn import NcnnSession
from fusedet.deploy.detector.runtimes.openvino import OpenVinoSession
from fusedet.deploy.detector.self_test import run_self_test
from fusedet.export import ExportError, export_certified
from fusedet.export.bundle import write_bundle
from fusedet.export.other_runtimes import OTHER_RUNTIMES
from fusedet.export.proof.images import draw_images
from tests.detections import assert_same
from tests.export.networks import small_config, trained_net
from tests.export.test_pipeline import save

pytestmark = pytest.mark.runtimes

IMAGES = draw_images(4, seed=3)
EXACT = {"openvino": "best.xml", "ncnn": "best.ncnn.param"}
SESSIONS = {"openvino": OpenVinoSession, "ncnn": NcnnSession}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(trained_net(small_config()), tmp_path_factory.mktemp("net") / "best.pt")


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("others")
    export_certified(checkpoint, folder, real_images=IMAGES, also=tuple(OTHER_RUNTIMES))
    return folder


def assert_alike(one: Detector, other: Detector) -> None:
    assert other.names == one.names
    for image in IMAGES.values():
        assert_same(other(image), one(image))


@pytest.mark.parametrize("name", EXACT)
def test_it_finds_the_same_boxes(name: str, exported: Path) -> None:
    assert_alike(*(Detector(exported / file, score_threshold=0.05) for file in ("best.fused.onnx", EXACT[name])))


def test_every_form_is_certified_and_tests_itself(exported: Path) -> None:
    facts = json.loads((exported / "best.certificate.json").read_text())
    agreement = {one["between"][1]: one for one in facts["agreement"]}
    for name, runtime in OTHER_RUNTIMES.items():
        assert agreement[name]["matched_share"] == 1.0 or not runtime.exact
        assert name in facts["files"]
        assert name in facts["latency_ms"]
        assert run_self_test(exported / f"best{runtime.suffix}").passed


def test_the_output_without_nms(checkpoint: Path, tmp_path: Path) -> None:
    export_certified(checkpoint, tmp_path, real_images=IMAGES, also=("ncnn",), nms=False)
    assert_alike(*(Detector(tmp_path / file, score_threshold=0.3) for file in ("best.fused.onnx", "best.ncnn.param")))


@pytest.mark.parametrize("name", EXACT)
def test_commands_take_the_file(name: str, exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(exported / EXACT[name])
    for command in (["check", file], ["info", file], ["bench", file, "--seconds", "0.2"]):
        assert main(command) == 0, command
    assert "cat, dog, owl" in capsys.readouterr().out


@pytest.mark.parametrize("name", EXACT)
def test_what_cannot_be_used_is_said(name: str, exported: Path, tmp_path: Path) -> None:
    alone, beside = tmp_path / EXACT[name], OTHER_RUNTIMES[name].beside
    alone.write_bytes((exported / EXACT[name]).read_bytes())
    with pytest.raises(InputError, match=r"best.*\.bin, must lie beside it|best.*\.bin must lie beside it"):
        Detector(alone)
    for suffix in beside:
        alone.with_suffix(suffix).write_bytes(b"{}")
    with pytest.raises(InputError, match=r"not a file that OpenVINO can run|best\.ncnn\.json: expected what"):
        Detector(alone)


@pytest.mark.parametrize("name", EXACT)
def test_other_boxes_are_refused(name: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = SESSIONS[name].run

    def shifted(*given: Any) -> list[Any]:
        boxes, *others = run(*given)
        return [boxes * 1.05, *others]

    monkeypatch.setattr(SESSIONS[name], "run", shifted)
    with pytest.raises(ExportError, match=f"fused and {name}"):
        export_certified(checkpoint, tmp_path, real_images=IMAGES, also=(name,))
    assert {path.name.split(".", 1)[1] for path in tmp_path.iterdir()} == {"rejected.json", "rejected.html"}


@pytest.mark.parametrize("name", ["best.zip", "best"])
def test_a_bundle_carries_every_form(
    name: str, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(exported / "best.onnx", tmp_path / name)
    for file in EXACT.values():
        assert_alike(Detector(bundle, score_threshold=0.05), Detector(bundle / file, score_threshold=0.05))
    assert main(["bench", str(bundle), "--all", "--rounds", "5"]) == 0
    said = capsys.readouterr().out
    assert "left out" not in said
    assert "not certified" not in said
    for runtime in OTHER_RUNTIMES.values():
        assert f"best{runtime.suffix}" in said
