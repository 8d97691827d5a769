import hashlib
import json
from pathlib import Path

import pytest

from fusedet.cli.main import main
from tests.commands import Refused


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What was printed: name -> text."""
    lines = capsys.readouterr().out.splitlines()[1:]
    return {name.strip(): text for name, _, text in (line.strip().partition("  ") for line in lines)}


def test_an_exported_file(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(exported)]) == 0
    found = {name: text.strip() for name, text in rows(capsys).items()}
    assert found["kind"] == "exported file"
    assert found["classes"] == "red, green, blue"
    assert found["input size"] == "64 x 64 (height x width)"
    assert found["NMS"] == "none; duplicate detections above IoU 0.7 are removed"
    assert found["input"] == "images: uint8 ['batch', 64, 64, 3]"
    assert found["activation"] == "leaky_relu, slope 0.1"
    assert found["trained on"] == "drawn rectangles"
    assert found["size"] == f"{exported.stat().st_size:,} bytes"
    assert found["sha256"] == hashlib.sha256(exported.read_bytes()).hexdigest()


def test_a_checkpoint(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(run_folder)]) == 0
    found = {name: text.strip() for name, text in rows(capsys).items()}
    assert found["kind"] == "checkpoint"
    assert found["epoch"] == "7"
    assert found["metrics"] == "ap 0.250"
    assert found["written by"] == "fusedet 0.1.0"
    assert 0 < float(found["parameters"].split()[0]) < 2
    assert "data" not in found, "a checkpoint that does not say has no line for it"


@pytest.mark.parametrize("name", ["model.onnx", "model.pt"])
def test_a_file_of_another_kind_is_one_line(name: str, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / name).write_text("not a model\nat all")
    refused(["info", tmp_path / name], name)


@pytest.mark.parametrize("metrics", ["text", None, {"ap": "text", "ap50": float("nan"), "ap75": 0.5}, {"ap75": 0.5}])
def test_a_checkpoint_that_others_have_touched(
    metrics: object, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fusedet.model import load_checkpoint, save_checkpoint

    checkpoint = load_checkpoint(run_folder / "best.pt")
    save_checkpoint(tmp_path / "best.pt", checkpoint.state, {**checkpoint.meta, "metrics": metrics})
    assert main(["info", str(tmp_path / "best.pt")]) == 0
    assert rows(capsys).get("metrics", "").strip() == ("ap75 0.500" if isinstance(metrics, dict) else "")


def test_facts_as_json(exported: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(exported), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["classes"], found["input size"]) == (["red", "green", "blue"], [64, 64])
    assert found["size"] == exported.stat().st_size
    out = tmp_path / "facts.json"
    command = ["info", str(run_folder), "--json", str(out)]
    assert main(command) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(out.read_text())["metrics"] == {"ap": 0.25}
    assert main(command) == 2, "a file is not replaced unasked"
