"""What version 0.1 wrote still works: YAMLs, checkpoints, exported files, run folders, flags."""

import shutil
from pathlib import Path

import pytest

from fusedet import Detector, evaluate
from fusedet.cli.main import main
from fusedet.train.config import load_train_config

DATA = Path(__file__).parent / "data" / "version_0_1"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what 0.1 left behind, in which the command line works."""
    folder = tmp_path / "old"
    shutil.copytree(DATA, folder)
    monkeypatch.chdir(folder)
    return folder


def test_a_yaml(old: Path) -> None:
    config = load_train_config("tiny.yaml", ["data.root=drawn"])
    assert config.train.epochs == 3
    assert config.model.input_size == (64, 64)


def test_a_checkpoint_finds_what_it_found(old: Path) -> None:
    """0.1 wrote an AP of 0.161 for its best epoch, without NMS."""
    assert evaluate("run", "drawn", nms=False).ap == pytest.approx(0.161, abs=0.05)
    assert evaluate("run/best.pt", "drawn").ap > 0.1


def test_an_exported_file(old: Path) -> None:
    detector = Detector(old / "best.fused.onnx", score_threshold=0.05)
    assert not detector.contract.nms
    assert evaluate(old / "best.fused.onnx", "drawn").ap == pytest.approx(0.161, abs=0.01)


def test_a_run_folder_goes_on_and_is_reported(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", "run"]) == 0
    assert "best epoch 33" in capsys.readouterr().out
    assert main(["report", "run", "--out", "report.html"]) == 0
    shutil.copytree("run", "again")
    assert main(["compare", "run", "again"]) == 0
    assert "again" in capsys.readouterr().out


def test_flags(old: Path) -> None:
    assert main(["eval", "run", "--data", "drawn", "--nms"]) == 0
    assert main(["export", "run", "--nms", "--out", "models/"]) == 0
    assert Detector("models/best.fused.onnx").contract.nms
