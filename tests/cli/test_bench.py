"""``fusedet bench`` as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from fusedet.cli.main import main
from fusedet.deploy import Contract
from fusedet.deploy.bench import contest
from fusedet.deploy.bench.startup import Startup
from fusedet.deploy.bench.tuned import Tuned, read_tuned, write_tuned
from tests.commands import Refused
from tests.deploy.conftest import NAMES, build_model
from tests.test_architecture import BLOCK


def bench(*arguments: object) -> int:
    return main(["bench", *map(str, arguments)])


@pytest.fixture
def no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts no process for each file, since one test of that is enough."""
    monkeypatch.setattr("fusedet.deploy.bench.startup.measure_startup", lambda *_: Startup(1.0, 1.0, 1.0, None))


def test_everything_is_told_and_written(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    cv2.imwrite(str(tmp_path / "image.png"), np.full((40, 60, 3), 200, np.uint8))
    report = tmp_path / "report.json"
    options = ("--images", tmp_path / "image.png", "--rounds", 10, "--threads", 1, "--profile", "--json", report)
    assert bench(exported, *options) == 0
    said = capsys.readouterr().out
    for word in ("machine ", "versions ", "load ", "input ", "settings ", "start ", "rate ", "CPU ", "speed ", "p99"):
        assert word in said
    assert "64 x 64" in said
    assert "1 thread, not spinning" in said
    assert "slowest nodes" in said
    content = json.loads(report.read_text())
    assert content["format_version"] == 2
    assert content["machine"]["versions"]["onnxruntime"]
    (model,) = content["models"]
    assert model["model"] == str(exported)
    assert model["input_size"] == [64, 64]
    assert (model["threads"], model["spinning"], model["fps"], model["dropped"]) == (1, False, None, 0)
    assert set(model["milliseconds"]) == {"pre", "inference", "post", "total"}
    total = model["milliseconds"]["total"]
    assert total["count"] == 10
    assert 0 < total["min"] <= total["p50"] <= total["p95"] <= total["p99"]
    assert model["startup"]["import_ms"] > 0
    assert model["throughput"]["images_per_s"] > 0
    assert "one thread each" in said
    assert sum(row["milliseconds"] for row in model["operators"]) == pytest.approx(
        sum(node["milliseconds"] for node in model["nodes"])
    )
    assert content["tuning"] == []


@pytest.mark.usefixtures("no_start")
def test_tuning_is_saved_and_then_used(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert bench(exported, "--tune", "--rounds", 5, "--json", tmp_path / "report.json") == 0
    said = capsys.readouterr().out
    assert f"saved: {exported}.tuned.json" in said
    tuned = read_tuned(exported)
    assert tuned is not None
    (choice,) = json.loads((tmp_path / "report.json").read_text())["tuning"]
    assert (choice["threads"], choice["spinning"]) == (tuned.threads, tuned.spinning)
    assert {row["threads"] for row in choice["tried"]} >= {1}

    write_tuned(exported, Tuned(3, True), "by hand")
    assert bench(exported, "--rounds", 1) == 0
    assert "3 threads, spinning" in capsys.readouterr().out
    assert bench(exported, "--rounds", 1, "--threads", 1) == 0
    assert "1 thread, not spinning" in capsys.readouterr().out


@pytest.mark.usefixtures("no_start")
def test_of_several_models_the_largest_that_keeps_up_is_named(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    large = tmp_path / "large.onnx"
    onnx.save(build_model(Contract(names=NAMES, input_size=(96, 96)), scores=(0.9,)), large)
    assert bench(exported, large, "--fps", 5, "--rounds", 2, "--tune") == 0
    said = capsys.readouterr().out
    assert "largest input that holds 5 frames/s with a fifth to spare: 96 x 96" in said
    assert said.count("saved: ") == 2
    assert "age" in said
    assert bench(exported, large, "--fps", 100_000, "--rounds", 2) == 0
    assert "none holds 100000 frames/s" in capsys.readouterr().out


def test_what_was_measured_until_ctrl_c_is_printed(
    exported: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    whole = contest._block

    def interrupted(*arguments) -> None:
        whole(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(contest, "_block", interrupted)
    assert bench(exported, "--rounds", 10, "--threads", 1) == 130
    said = capsys.readouterr().out
    assert "rate " in said
    assert "start " not in said
    assert bench(exported, "--rounds", 10, "--tune") == 130
    assert "interrupted, nothing is chosen" in capsys.readouterr().out
    assert not Path(f"{exported}.tuned.json").exists(), "half a comparison chooses nothing"


def test_detect_takes_the_tuned_threads(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from fusedet.deploy.detector import session

    cv2.imwrite(str(tmp_path / "image.png"), np.full((40, 60, 3), 200, np.uint8))
    asked = []
    whole = session._start

    def start(name, model, threads, *rest):
        asked.append(threads)
        return whole(name, model, threads, *rest)

    monkeypatch.setattr(session, "_start", start)
    command = ["detect", str(exported), str(tmp_path / "image.png"), "--no-images"]
    assert main(command) == 0
    write_tuned(exported, Tuned(2, False), "by hand")
    assert main(command) == 0
    assert main([*command, "--threads", "1"]) == 0
    assert asked == [None, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["gone.onnx"], ["gone.onnx", "no such model file"]),
        (["MODEL", "--rounds", "0"], ["--rounds must be at least 1, but got 0"]),
        (["MODEL", "--seconds", "0"], ["--seconds must be above 0"]),
        (["MODEL", "--seconds", "nan"], ["--seconds must be above 0"]),
        (["MODEL", "--seconds", "1", "--rounds", "1"], ["not allowed with"]),
        (["MODEL", "--threads", "0"], ["--threads must be at least 1"]),
        (["MODEL", "--fps", "-1"], ["--fps must be above 0, but got -1"]),
        (["MODEL", "--images", "empty"], ["empty", "no image in this folder"]),
        (["MODEL", "--images", "gone"], ["gone", "no such file or folder"]),
        (["MODEL", "--images", "0"], ["0: expected an image", "a camera"]),
        (["MODEL", "--json", "gone/report.json"], ["--json gone/report.json", "there is no folder gone"]),
        (["MODEL", "--json", "empty"], ["--json empty", "this is a folder"]),
        (["MODEL", "--json", "MODEL"], ["this file exists"]),
        (["MODEL", "MODEL"], ["named twice"]),
        (["MODEL", "--tune", "--spinning"], ["--tune", "--spinning"]),
        (["checkpoint.pt"], ["checkpoint.pt", "not a checkpoint"]),
        (["text.onnx"], ["text.onnx", "not an ONNX file"]),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused, arguments, parts
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in ("checkpoint.pt", "text.onnx"):
        (tmp_path / name).write_text("nothing")
    refused(["bench", *(exported if word == "MODEL" else word for word in arguments)], *parts)


def test_a_board_needs_no_more_than_the_runtime(exported: Path):
    """In a process that has neither torch nor onnx, as a board."""
    blocked = {"torch", "onnx", "pydantic", "yaml", "rich", "psutil"}
    command = ["bench", str(exported), "--rounds", "2", "--profile", "--tune"]
    script = f"{BLOCK.format(blocked=blocked)}\nfrom fusedet.cli.main import main\nsys.exit(main({command}))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
