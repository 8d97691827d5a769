"""The wheel in fresh environments: what a board installs on each Python, and everything on one."""

import json
import shutil
from pathlib import Path

import pytest

from tests.packaging.artefacts import ROOT
from tests.packaging.environments import PYTHONS, Environment

pytestmark = pytest.mark.slow

CAMERAS = "model: nano\ncameras:\n  door: {source: image.png}\noutputs:\n  events: {path: events.jsonl}\n"


@pytest.mark.parametrize("version", PYTHONS)
def test_a_board(version: str, wheel: Path, tmp_path: Path) -> None:
    board = Environment.make(version, tmp_path / "board")
    board.pip("install", f"{wheel}[headless]")
    assert not {"torch", "onnx", "pydantic", "pyyaml", "opencv-python"} & board.packages().keys()
    assert board.run("fusedet", "--version").startswith("fusedet ")
    shutil.copy(ROOT / "tests" / "packaging" / "on_a_board.py", board.folder)
    board.run("python", "-W", "error", "on_a_board.py", "image.png", "fusedet.deploy.camera.web")

    board.run("fusedet", "detect", "image.png", "--out", "look", "--json", "found.jsonl", "--score", "0.01")
    (line,) = (board.folder / "found.jsonl").read_text().splitlines()
    assert json.loads(line)["detections"]
    assert (board.folder / "look" / "image.png").is_file()
    assert "frames/s" in board.run("fusedet", "bench", "nano", "--rounds", "5")
    assert "input size" in board.run("fusedet", "info", "nano")

    (board.folder / "camera.yaml").write_text(CAMERAS)
    said = board.run("fusedet", "run", "camera.yaml", "--check", code=2)
    assert "pip install 'fusedet[headless,run,web,mqtt]'" in said
    board.pip("install", f"{wheel}[run]")
    assert "camera.yaml: well" in board.run("fusedet", "run", "camera.yaml", "--check")
    board.run("fusedet", "run", "camera.yaml")
    assert "ExecStart=" in board.run("fusedet", "service", "camera.yaml")

    board.pip("install", f"{wheel}[web,mqtt]")
    board.run("python", "-W", "error", "on_a_board.py", "image.png")
    said = board.run("fusedet", "train", "nano", code=2)
    assert said.endswith("which is not installed: pip install 'fusedet[train,desktop]'\n")


def test_a_workstation_with_everything(wheel: Path, tmp_path: Path) -> None:
    """All extras but ultralytics, whose licence is not ours, and headless, which excludes desktop."""
    station = Environment.make("3.11", tmp_path / "station")
    constraints = str(ROOT / "constraints.txt")
    extras = "train,desktop,demo,run,web,mqtt,supervision,dev,docs"
    station.pip("install", "--constraint", constraints, f"{wheel}[{extras}]")
    station.run("python", "-m", "pip", "check")
    said = station.run("fusedet", "demo", "--epochs", "1", "--images", "32", "--out", "demo")
    assert "[5/5]" in said
    assert "fusedet detect" in (station.folder / "demo" / "README.md").read_text()
    station.run("fusedet", "info", "demo/training")
    for module in ("train", "export", "model", "deploy.web.server", "deploy.sinks.mqtt", "deploy.supervision"):
        station.run("python", "-c", f"import fusedet.{module}")
