"""Every example runs, and does what its head says: with real files, in this process, as ``python examples/NAME``."""

import csv
import json
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fusedet.deploy import Detector
from fusedet.export import export_onnx
from fusedet.export.proof.images import draw_images
from tests import ROOT
from tests.deploy.camera.sinks.servers import MOSQUITTO, Broker, Listener
from tests.deploy.conftest import draw_image, make_model
from tests.export.networks import NAMES, small_config, trained_net

__all__ = ["make_model"]

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MakeModel = Callable[..., Path]


def run(name: str, *arguments: object) -> dict[str, object]:
    """Runs ``examples/NAME.py`` as a user would."""
    before = sys.argv
    sys.argv = [name, *map(str, arguments)]
    try:
        return runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    finally:
        sys.argv = before


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    """A green rectangle."""
    path = tmp_path / "images" / "green.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), draw_image((32, 16, 80, 64), 1))
    return path


def falling(path: Path, tops: list[int]) -> Path:
    """A video of a red rectangle that is 24 px high, at 10 frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (128, 96))
    assert writer.isOpened()
    for top in tops:
        writer.write(draw_image((48, top, 80, top + 24)))
    writer.release()
    return path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short_and_in_the_table_and_tested(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 30
    assert f"[{path.name}]({path.name})" in (ROOT / "examples" / "README.md").read_text()
    assert path.stem in Path(__file__).read_text(), "no test runs it"


def test_detect_image(image_file: Path, make_model: MakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    run("detect_image", image_file, make_model())
    out = capsys.readouterr().out
    assert "green 0.90 at 32 16 80 64" in out
    drawn = cv2.imread(str(image_file.with_name("green_boxes.jpg")))
    assert drawn.shape == cv2.imread(str(image_file)).shape
    assert np.abs(drawn.astype(int) - cv2.imread(str(image_file))).max() > 50


def test_detect_image_without_an_image(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no image that OpenCV can read"):
        run("detect_image", tmp_path / "none.jpg")


def test_the_starter_weights_are_what_runs_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "photo.jpg"
    shutil.copy(ROOT / "docs" / "images" / "demo.jpg", photo)
    assert "person" in run("detect_image", photo)["detector"].names  # type: ignore[attr-defined]
    assert "found; written:" in capsys.readouterr().out


def test_camera_loop_plays_a_video(tmp_path: Path, make_model: MakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    run("camera_loop", falling(tmp_path / "a.mp4", [8, 16, 24]), make_model())
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("(")[0] for line in lines] == [f"frame {i}: red " for i in range(3)]


def test_count_crossings(tmp_path: Path, make_model: MakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    model = make_model(names=("person", "dog", "owl"))
    there_and_back = [*range(0, 64, 4), *range(64, 0, -4)]
    run("count_crossings", falling(tmp_path / "a.mp4", there_and_back), model)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("s: ")[2] for line in lines[:-1]] == ["person 1 went in", "person 1 went out"]
    assert lines[-1] == "in: 1, out: 1"


def test_count_crossings_counts_people_only(
    tmp_path: Path, make_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        "count_crossings",
        falling(tmp_path / "a.mp4", list(range(0, 64, 4))),
        make_model(names=("dog", "person", "owl")),
    )
    assert capsys.readouterr().out == "in: 0, out: 0\n"


def test_batch_folder(image_file: Path, make_model: MakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    (image_file.parent / "broken.jpg").write_bytes(b"no image")
    table = image_file.parent.parent / "found.csv"
    run("batch_folder", image_file.parent, table, make_model())
    with table.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["image"], row["class"], float(row["score"])) == ("green.png", "green", pytest.approx(0.9))
    assert [float(row[side]) for side in ("left", "top", "right", "bottom")] == [32, 16, 80, 64]
    assert "could not be read: 1" in capsys.readouterr().out
    with pytest.raises(FileExistsError):
        run("batch_folder", image_file.parent, table, make_model())


def test_custom_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("custom_classes", tmp_path / "custom.onnx", "cat", "dog", "owl")
    detector = Detector(tmp_path / "custom.fused.onnx")
    assert (detector.names, detector.input_size) == (("cat", "dog", "owl"), (192, 320))
    assert "parameters" in capsys.readouterr().out


def test_opencv_dnn_finds_what_fusedet_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, place = trained_net(small_config()), tmp_path / "m.onnx"
    model = export_onnx(net, place, names=NAMES, nms=True, layout="ultralytics").plain
    image = draw_images(1)["drawn image 1"]
    cv2.imwrite(str(tmp_path / "a.png"), image)
    run("opencv_dnn", model, tmp_path / "a.png", 64)
    theirs = sorted(line.partition(" at ")[0] for line in capsys.readouterr().out.splitlines())
    found = Detector(model)(image)
    ours = sorted(f"class {i} {score:.2f}" for i, score in zip(found.class_ids, found.scores, strict=True))
    assert ours == theirs
    assert len(ours) > 2


def test_supervision_annotators(image_file: Path, make_model: MakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("supervision", reason="supervision is not installed")
    out = image_file.with_name("out.png")
    run("supervision_annotators", image_file, out, make_model())
    assert capsys.readouterr().out.startswith("1 found")
    assert np.abs(cv2.imread(str(out)).astype(int) - cv2.imread(str(image_file))).max() > 50


def cells(kind: str) -> list[dict[str, Any]]:
    """Of the notebook."""
    notebook = json.loads((ROOT / "examples" / "first_detector.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_the_notebook_is_stored_without_what_it_printed() -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells("code"))
    ids = [cell["id"] for kind in ("code", "markdown") for cell in cells(kind)]
    assert len(set(ids)) == len(ids)
    assert all(len(line) <= 120 for kind in ("code", "markdown") for cell in cells(kind) for line in cell["source"])


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    small = {"IMAGES, EPOCHS = 600, 30": "IMAGES, EPOCHS = 8, 1", "epochs=EPOCHS": "epochs=EPOCHS, imgsz=64, workers=0"}
    names: dict[str, Any] = {}
    for cell in cells("code"):
        source = "".join(cell["source"])
        for full, short in small.items():
            source = source.replace(full, short)
        exec(compile(source, cell["id"], "exec"), names)  # noqa: S102 - a file of this repository
    assert (tmp_path / "first_detector" / "digits.fused.onnx").is_file()
    assert "digits.fused.onnx: AP50-95" in capsys.readouterr().out
    assert names["EPOCHS"] == 1


EVENT = {
    "id": "a1",
    "kind": "cross",
    "camera": "door",
    "place": "gate",
    "track": 7,
    "label": "person",
    "direction": "in",
}


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
@pytest.mark.skipif(find_spec("paho") is None, reason="paho-mqtt is not installed")
def test_mqtt_consumer(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "mqtt_consumer.py"), "127.0.0.1"]
    with Broker(tmp_path) as broker, Listener(broker.port) as sender:
        with subprocess.Popen([*command, str(broker.port)], stdout=subprocess.PIPE, text=True) as consumer:
            assert consumer.stdout is not None
            heard = threading.Event()

            def say() -> None:  # until the consumer has subscribed; what comes twice, it tells once
                while not heard.wait(0.1):
                    sender.say("fusedet/door/events", json.dumps(EVENT))

            teller = threading.Thread(target=say)
            teller.start()
            first = consumer.stdout.readline()
            heard.set()
            teller.join()
            sender.say("fusedet/door/events", json.dumps({**EVENT, "id": "a2", "kind": "enter", "direction": None}))
            second = consumer.stdout.readline()
            consumer.terminate()  # not SIGINT: a process that was started in the background ignores that
        assert (first, second) == ("door: person 7: cross gate in\n", "door: person 7: enter gate \n")
        assert consumer.returncode == -signal.SIGTERM


@pytest.mark.skipif(find_spec("paho") is None, reason="paho-mqtt is not installed")
def test_mqtt_consumer_without_a_broker() -> None:
    with socket.socket() as held:  # bound, but nobody listens
        held.bind(("127.0.0.1", 0))
        port = str(held.getsockname()[1])
        command = [sys.executable, str(ROOT / "examples" / "mqtt_consumer.py"), "127.0.0.1", port]
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 1
    assert said.stderr.startswith(f"127.0.0.1:{port}: no broker answers there: ")
    assert len(said.stderr.splitlines()) == 1
