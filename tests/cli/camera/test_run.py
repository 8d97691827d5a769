"""``fusedet run`` as a user starts it: a process of its own, ended by a signal."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from time import monotonic, sleep

import onnx
import pytest
import yaml

from fusedet.cli.main import main
from fusedet.deploy import Contract
from tests.deploy.conftest import NAMES, build_model, write_video

CONFIG = """\
# the camera at the door
model: MODEL
cameras:
  door:
    source: VIDEO
    loop: true
    # a rectangle moves from left to right
    lines: [{name: middle, start: [0.5, 1.0], end: [0.5, 0.0]}]
outputs:
  events: {path: events.jsonl}
  detections: {path: detections.jsonl}
score: 0.3   # low
"""


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    onnx.save(build_model(Contract(NAMES, (96, 128)), scores=(0.9,)), folder / "model.onnx")
    other = Contract(("rot", "gruen", "blau"), (96, 128))
    onnx.save(build_model(other, scores=(0.9,)), folder / "other.onnx")
    write_video(folder / "video.mp4", frames=12, fps=20)
    return folder


@pytest.fixture
def place(parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model, a video and a ``camera.yaml``."""
    monkeypatch.chdir(tmp_path)
    for name in ("model.onnx", "video.mp4"):
        copyfile(parts / name, tmp_path / name)
    (tmp_path / "camera.yaml").write_text(CONFIG.replace("MODEL", "model.onnx").replace("VIDEO", "video.mp4"))
    return tmp_path


class Running:
    """The process, and what it wrote."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.log = folder / "log.txt"
        command = [sys.executable, "-m", "fusedet.cli.main", "run", *arguments]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=folder, stderr=log, stdout=log)

    def until(self, text: str, file: str = "log.txt", seconds: float = 60) -> str:
        """Waits until ``text`` stands in a file, and returns all of it."""
        end = monotonic() + seconds
        while True:
            path = self.folder / file
            written = path.read_text() if path.exists() else ""
            if text in written:
                return written
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log.read_text()}"
            assert monotonic() < end, f"no {text!r} in {file}: {written[-500:]}"
            sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def run(folder: Path, *arguments: str) -> Iterator[Running]:
    running = Running(folder, *arguments)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait()


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *(pytest.param(one, marks=pytest.mark.slow) for one in (signal.SIGINT, signal.SIGHUP))]
)
def test_a_signal_ends_it_in_order(place: Path, number: int) -> None:
    with run(place, "camera.yaml") as running:
        running.until('"cross"', "events.jsonl")
        assert running.stop(number) == 0
        log = running.log.read_text()
    events, detections = records(place / "events.jsonl"), records(place / "detections.jsonl")
    assert {(event["kind"], event["place"], event["direction"]) for event in events} == {("cross", "middle", "in")}
    assert len({event["id"] for event in events}) == len(events)
    counts = dict(zip(("captured", "processed", "dropped"), [int(n) for n in _numbers(log)], strict=False))
    assert counts["captured"] == counts["processed"] + counts["dropped"]
    assert len(detections) == counts["processed"]
    assert "Traceback" not in log


def _numbers(log: str) -> list[str]:
    line = next(line for line in log.splitlines() if line.startswith("door: "))
    return [word for word in line.replace(",", "").split() if word.isdecimal()]


#: The video as fast as it can be seen, and once.
ONCE = ("cameras.door.pace=false", "cameras.door.loop=false")


def test_a_video_that_is_not_paced_is_seen_whole(place: Path) -> None:
    assert main(["run", "camera.yaml", *ONCE]) == 0
    assert [record["frame"] for record in records(place / "detections.jsonl")] == list(range(12))


@pytest.mark.parametrize(("value", "count"), [(None, 1), ("0.99", 2), ("null", 2)])
def test_duplicate_detections_are_removed_unless_the_yaml_keeps_them(
    place: Path, value: str | None, count: int
) -> None:
    # The second box is moved 1 px of 32.
    onnx.save(build_model(Contract(NAMES, (96, 128)), scores=(0.9, 0.8)), place / "model.onnx")
    settings = [] if value is None else [f"duplicate_iou={value}"]
    assert main(["run", "camera.yaml", *ONCE, *settings]) == 0
    found = [record["detections"] for record in records(place / "detections.jsonl")]
    assert [len(detections) for detections in found] == [count] * 12  # type: ignore[arg-type]


def test_classes_of_the_yaml_are_all_that_is_reported(place: Path) -> None:
    assert main(["run", "camera.yaml", *ONCE, "classes=[red]"]) == 0
    assert [record["detections"] for record in records(place / "detections.jsonl")] == [[]] * 12


def test_changes_are_taken_over_while_it_runs(place: Path, parts: Path) -> None:
    config = place / "camera.yaml"
    with run(place, "camera.yaml") as running:
        running.until('"green"', "detections.jsonl")
        config.write_text(config.read_text().replace("score: 0.3", "score: 0.95"))
        running.until("the changed config is taken over")
        config.write_text(config.read_text().replace("score: 0.95", "scoer: 0.3"))
        running.until("the changed config is not taken over: camera.yaml:12: scoer: unknown key")
        config.write_text(config.read_text().replace("scoer: 0.3", "score: 0.3\nwatchdog_s: 20"))
        running.until("watchdog_s has changed: that counts from the next start on")
        config.write_text(config.read_text().replace("watchdog_s: 20", "watchdog_s: 20\nduplicate_iou: null"))
        running.until("the model model.onnx is taken over")
        (place / "model.onnx").write_bytes(b"half a mod")
        running.until("the changed model is not taken over: model.onnx: not an ONNX file")
        copyfile(parts / "other.onnx", place / "model.onnx")
        running.until('"gruen"', "detections.jsonl")
        assert running.stop() == 0


def test_the_page_changes_score_and_zones_and_the_yaml(place: Path) -> None:
    with run(place, "camera.yaml", "--serve", "serve.port=0") as running:
        url = running.until("page: ").partition("page: ")[2].split()[0].rstrip("/")

        def put(path: str, body: object) -> int:
            data = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", "Origin": url}
            request = urllib.request.Request(url + path, data, headers, method="PUT")
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)

        zone = {"name": "left", "points": [[0, 0], [0.5, 0], [0.5, 1]], "classes": None, "dwell_s": 2.5}
        assert put("/api/cameras/door/places", {"zones": [zone], "lines": []}) == 200
        assert put("/api/settings", {"score": 0.5, "classes": ["green"]}) == 200
        with urllib.request.urlopen(url + "/api/status", timeout=30) as answer:
            status = json.load(answer)
        assert (status["score"], status["classes"]) == (0.5, ["green"])
        assert list(status["cameras"]["door"]["places"]) == ["left"]
        assert running.stop() == 0
    text = (place / "camera.yaml").read_text()
    saved = yaml.safe_load(text)["cameras"]["door"]
    assert saved["zones"] == [{"name": "left", "points": [[0, 0], [0.5, 0], [0.5, 1]], "dwell_s": 2.5}]
    assert saved["lines"] == []
    assert text.startswith("# the camera at the door\n")
    assert "score: 0.3   # low" in text


def test_a_source_is_enough(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "video.mp4", "model=model.onnx", "--seconds", "1"]) == 0
    assert "camera: " in "".join(capfd.readouterr())


def test_a_setting_of_the_only_camera_needs_no_name(place: Path) -> None:
    arguments = ["video.mp4", "model=model.onnx", "pace=false", "score=0.5", "outputs.detections.path=found.jsonl"]
    assert main(["run", *arguments]) == 0
    assert len(records(place / "found.jsonl")) == 12


def test_check_runs_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "camera.yaml", "--check"]) == 0
    assert capsys.readouterr().out == "camera.yaml: well; cameras: door; model.onnx: 3 classes\n"
    assert not (place / "events.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["camera.yaml", "scoer=1"], "command line: scoer: unknown key, did you mean 'score'?"),
        (["camera.yaml", "classes=[cat]"], "classes: the model has no class 'cat'; it has red, green, blue"),
        (["camera.yaml", "cameras.door.filters={grene: {score: 0.5}}"], "cameras.door.filters: "),
        (["camera.yaml", "--check", "classes=[gren]"], "classes: the model has no class 'gren', did you mean 'green'?"),
        (["camera.yaml", "duplicate_iou=2"], "duplicate_iou: must be less than or equal to 1, but got 2"),
        (["camera.yaml", "model=none.onnx"], "none.onnx: no such model file"),
        (["camera.yaml", "model=camera.yaml"], "camera.yaml: not an ONNX file"),
        (["camera.yaml", "cameras.door.source=none.mp4"], "none.mp4: no such file or folder"),
        (["camera.yaml", "cameras.door.source=camera.yaml"], "camera.yaml: not an image"),
        (["camera.yaml", "cameras.door.source=rtsp://${NO_SUCH_PASSWORD}@host/"], "NO_SUCH_PASSWORD"),
        (["camera.yaml", "--check", "serve={token: '${NO_SUCH_TOKEN}'}"], "serve.token: ${NO_SUCH_TOKEN} stands for"),
        (["camera.yaml", "cameras.door.lines.0.classes=[cat]"], "cameras.door: middle: the model has no class 'cat'"),
        (["camera.yaml", "outputs.events.path=model.onnx/events"], "model.onnx"),
        (["camera.yaml", "--seconds", "0"], "--seconds must be above 0"),
        (["none.yaml"], "'none.yaml': expected a YAML file"),
        (["camera.yaml", "serve={host: 0.0.0.0}"], "serve.token is required"),
    ],
)
def test_bad_input_is_one_line(
    place: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
