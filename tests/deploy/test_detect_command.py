"""The command ``fusedet detect`` from end to end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fusedet.cli.main import main
from fusedet.deploy.camera.sources import read_image
from tests.commands import Refused
from tests.counterparts import mjpeg_server
from tests.deploy.conftest import count_frames, draw_image, write_video


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with ``photos`` of which one is damaged and one lies deeper."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("OPENCV_LOG_LEVEL", "SILENT")  # the command sets them for the process unless they are set
    monkeypatch.setenv("OPENCV_FFMPEG_LOGLEVEL", "-8")
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    cv2.imwrite("photos/a.png", draw_image((16, 32, 80, 64), 0))
    cv2.imwrite("photos/a.jpg", draw_image((32, 32, 48, 48), 2))
    cv2.imwrite("photos/more/a.png", np.zeros((20, 30, 3), np.uint8))
    return tmp_path


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def files(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def test_one_image(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", str(model), "photos/a.png", "--json", "found.jsonl"]) == 0
    [record] = lines("found.jsonl")
    assert (record["source"], record["width"], record["height"]) == ("photos/a.png", 128, 96)
    assert record["detections"] == [{"box_xyxy": [16, 32, 80, 64], "score": 0.9, "class_id": 0, "name": "red"}]
    assert files("detections") == ["a/a.png"]
    assert (read_image("detections/a/a.png") != read_image("photos/a.png")).any()
    out, err = capsys.readouterr()
    named, told, summary = out.split("\n", 2)
    assert named == f"model: {model}, input 64 x 64, 3 classes: red, green, blue"
    assert re.fullmatch(r"image 1/1 photos/a\.png: 1 red, \d+\.\d ms", told)
    assert summary.startswith("1 image, 1 detection, ")
    assert "  red: 1\n" in out
    assert "  network " in out
    assert out.endswith("written: found.jsonl\nwritten: detections/a\n")
    assert err == ""


def test_a_run_folder_is_run_by_its_exported_file(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("run").mkdir()
    assert main(["detect", "run", "photos/a.png", "--no-images"]) == 2
    assert "run: expected a model file or a run folder, but this folder has no best.pt" in capsys.readouterr().err
    Path("run/best.pt").touch()
    Path("run/best.onnx").write_bytes(model.read_bytes())
    assert main(["detect", "run", "photos/a.png", "--no-images"]) == 0
    assert capsys.readouterr().out.startswith("model: run/best.onnx, ")


def test_a_glob_and_a_fresh_folder_each_time(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["detect", str(model), "photos/**/*"]) == 0
    expected = ["a.jpg", "a.png", "more/a.png"]
    assert files("detections") == [f"photos-2/{name}" for name in expected] + [f"photos/{name}" for name in expected]
    assert "3 images, 2 detections, " in capsys.readouterr().out


def test_a_damaged_image_is_left_out_and_told(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos/b.png").write_bytes(b"not an image")
    assert main(["detect", str(model), "photos", "--json", "found.jsonl", "--no-images"]) == 1
    assert [record["source"] for record in lines("found.jsonl")] == ["photos/a.jpg", "photos/a.png"]
    out = capsys.readouterr().out
    assert "left out: 1 image that could not be read\n" in out
    assert [line.split(":")[0] for line in out.splitlines()[1:3]] == [
        "image 1/3 photos/a.jpg",
        "image 2/3 photos/a.png",
    ]
    assert not Path("detections").exists()


def test_tracks_in_a_video(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(Path("street.mp4"), frames=6, fps=10)

    assert main(["detect", str(model), "street.mp4", "--out", "result", "--json", "found.jsonl", "--track"]) == 0

    found = [json.loads(line)["detections"] for line in Path("found.jsonl").read_text().splitlines()]
    assert [[one["track"] for one in frame] for frame in found] == [[1]] * 6
    out = capsys.readouterr().out
    assert out.splitlines()[1].startswith("6 frames, 1 track, 6 detections, ")
    assert "  green: 1 track (6 detections)\n" in out
    assert "--track counts objects" not in out
    assert main(["detect", str(model), "street.mp4", "--json", "plain.jsonl", "--no-images"]) == 0
    assert "track" not in Path("plain.jsonl").read_text()


def test_images_have_no_tracks(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite("a.png", draw_image((8, 8, 40, 40)))

    assert main(["detect", str(model), "a.png", "--track"]) == 2
    assert "--track follows objects through a video or camera, but a.png is images" in capsys.readouterr().err


def test_a_video(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lefts = write_video(Path("street.mp4"), frames=6, fps=10)
    assert main(["detect", str(model), "street.mp4", "--out", "result", "--json", "result/found.jsonl"]) == 0
    records = lines("result/found.jsonl")
    assert [record["time_s"] for record in records] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    for left, record in zip(lefts, records, strict=True):
        [found] = record["detections"]
        np.testing.assert_allclose(found["box_xyxy"], [left, 32, left + 32, 64], atol=2)
        assert found["name"] == "green"
    assert files("result") == ["found.jsonl", "street.mp4"]
    assert count_frames("result/street.mp4") == 6
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith("6 frames, 6 detections, ")  # standard error is no terminal: no progress
    assert (
        "  green: 6 detections, 1.0 a frame\n  each frame counts its detections anew; --track counts objects\n" in out
    )
    assert err == "street.mp4: Ctrl-C stops, and keeps what was written\n"


def test_a_terminal_shows_the_newest_frame_of_a_video_in_one_line(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(Path("street.mp4"), frames=6, fps=10)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "22")
    assert main(["detect", str(model), "street.mp4", "--no-images"]) == 0
    shown = capsys.readouterr().err.split("\n")[1].split("\r\x1b[K")
    assert shown[1].startswith("frame 1: 1 green, ")
    assert all(len(line) < 22 for line in shown)
    assert shown[-1] == ""
    assert main(["detect", str(model), "street.mp4", "--no-images", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_quiet_leaves_the_summary_only(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", str(model), "photos", "--no-images", "-q"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 images, 2 detections, ")
    assert err == ""


def test_an_image_without_detections_says_so_and_the_most_frequent_class_comes_first(
    make_model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_model(scores=(0.9, 0.6))
    assert main(["detect", str(path), "photos/**/*", "--no-images", "--duplicate-iou", "off"]) == 0
    told = [line.rpartition(", ")[0] for line in capsys.readouterr().out.splitlines()[1:4]]
    assert told == [
        "image 1/3 photos/a.jpg: 2 blue",
        "image 2/3 photos/a.png: 2 red",
        "image 3/3 photos/more/a.png: no detections",
    ]


def test_a_limit_is_the_number_of_images_to_come(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos/a.bmp").write_bytes(b"not an image")
    assert main(["detect", str(model), "photos", "--no-images", "--limit", "1"]) == 1
    assert "image 2/2 photos/a.jpg: 1 blue, " in capsys.readouterr().out
    assert main(["detect", str(model), "photos/*.png", "--no-images", "--limit", "9"]) == 0
    assert "image 1/1 photos/a.png: 1 red, " in capsys.readouterr().out


def test_only_the_classes_that_are_asked_for_are_written_and_counted(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detect", str(model), "photos", "--classes", "blue, green", "--json", "found.jsonl"]) == 0
    assert [[one["name"] for one in record["detections"]] for record in lines("found.jsonl")] == [["blue"], []]
    assert (read_image("detections/photos/a.png") == read_image("photos/a.png")).all()
    named, first, second, summary = capsys.readouterr().out.split("\n", 3)
    assert named.endswith("2 of 3 classes: blue, green")
    assert "photos/a.jpg: 1 blue, " in first
    assert "photos/a.png: no detections, " in second
    assert summary.startswith("2 images, 1 detection, ")
    assert "red" not in summary


def test_duplicate_detections_are_removed_unless_they_are_to_stay(make_model: Any) -> None:
    path = str(make_model(scores=(0.9, 0.8)))  # the second box is moved 1 px of 32
    for iou, count in (("0.7", 1), ("0.99", 2), ("off", 2)):
        options = ["--duplicate-iou", iou, "--json", f"{iou}.jsonl", "--no-images"]
        assert main(["detect", path, "photos/a.png", *options]) == 0
        assert len(lines(f"{iou}.jsonl")[0]["detections"]) == count


def test_limit_score_and_number_of_detections(make_model: Any) -> None:
    path = str(make_model(scores=(0.9, 0.6, 0.1)))
    every = ["--no-images", "--duplicate-iou", "off"]
    write_video(Path("street.mp4"))
    assert main(["detect", path, "street.mp4", "--limit", "2", "--json", "a.jsonl", *every]) == 0
    assert [len(record["detections"]) for record in lines("a.jsonl")] == [2, 2]
    assert main(["detect", path, "photos/a.png", "--score", "0.7", "--json", "b.jsonl", *every]) == 0
    assert len(lines("b.jsonl")[0]["detections"]) == 1
    many = ["--score", "0", "--max-detections", "2", "--threads", "1", "--json", "c.jsonl", *every]
    assert main(["detect", path, "photos/a.png", *many]) == 0
    assert len(lines("c.jsonl")[0]["detections"]) == 2


def test_json_on_standard_output_is_alone_there(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", str(model), "photos", "--json", "-", "--no-images"]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["source"] for line in out.splitlines()] == ["photos/a.jpg", "photos/a.png"]
    named, first, second, summary = err.split("\n", 3)
    assert named.startswith("model: ")
    assert first.startswith("image 1/2 photos/a.jpg: 1 blue, ")
    assert second.startswith("image 2/2 photos/a.png: 1 red, ")
    assert summary.startswith("2 images, 2 detections, ")


def test_force_replaces_results(model: Path) -> None:
    arguments = ["detect", str(model), "photos", "--out", "result", "--json", "found.jsonl"]
    assert main(arguments) == 0
    assert main(arguments) == 2
    assert main([*arguments, "--force"]) == 0
    assert len(lines("found.jsonl")) == 2
    assert files("result") == ["a.jpg", "a.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.onnx", "photos"], "none.onnx: no such model file"),
        (["photos", "photos"], "photos: expected a model file or a run folder"),
        (["photos/a.png", "photos"], "photos/a.png: not an ONNX file"),
        (["MODEL", "none"], "none: no such file or folder"),
        (["MODEL", "*.gif"], "*.gif: no image matches"),
        (["MODEL", "empty"], "empty: no image in this folder"),
        (["MODEL", "notes.txt"], "notes.txt: not an image"),
        (["MODEL", "63"], "camera 63: there is no"),
        (["MODEL", "http://127.0.0.1:1/a"], "http://127.0.0.1:1/a: 127.0.0.1:1 refuses the connection"),
        (["MODEL", "ftp://127.0.0.1/a"], "expected an address with rtsp, rtsps, http, https, but got ftp"),
        (["MODEL", "photos", "--score", "2"], "score_threshold must be in 0..1, but got 2.0"),
        (["MODEL", "photos", "--score", "high"], "argument --score: invalid float value: 'high'"),
        (["MODEL", "photos", "--classes", "red,gren"], "the model has no class 'gren', did you mean 'green'?"),
        (["MODEL", "photos", "--classes", "cat"], "the model has no class 'cat'; it has red, green, blue"),
        (["MODEL", "photos", "--classes", "red,"], "--classes: expected class names between commas, but got 'red,'"),
        (["MODEL", "photos", "--duplicate-iou", "2"], "--duplicate-iou: expected an IoU in 0..1 or off, but got '2'"),
        (["MODEL", "photos", "--limit", "0"], "--limit must be at least 1, but got 0"),
        (["MODEL", "photos", "--threads", "0"], "threads must be at least 1, but got 0"),
        (["MODEL", "photos", "--max-detections", "0"], "max_detections must be at least 1, but got 0"),
        (["MODEL", "photos", "--out", "full"], "--out full: this folder is not empty"),
        (["MODEL", "photos", "--out", "notes.txt"], "--out notes.txt: expected a folder"),
        (["MODEL", "photos", "--out", "notes.txt/sub"], "notes.txt/sub: Not a directory"),
        (["MODEL", "photos", "--out", "x", "--no-images"], "--out x is the folder for annotated images"),
        (["MODEL", "photos", "--json", "notes.txt"], "--json notes.txt: this file exists"),
        (["MODEL", "photos", "--json", "full"], "--json full: expected a file"),
        (["MODEL", "photos", "--json", "notes.txt/found.jsonl"], "notes.txt: File exists"),
        # Not even --force writes over what is read.
        (["MODEL", "photos", "--out", "photos", "--force"], "--out photos: this folder holds what is to be read"),
        (["MODEL", "photos/**/*", "--out", "photos/more", "--force"], "--out photos/more: this folder holds"),
        (["MODEL", "photos", "--out", ".", "--force"], "--out .: this folder holds what is to be read"),
        (["MODEL", "photos", "--json", "photos/a.png", "--force"], "--json photos/a.png: this file is to be read"),
        (["MODEL", "photos", "--json", "MODEL", "--force"], "this file is to be read"),
        (["MODEL", "photos", "--show"], "a window needs a screen, but DISPLAY is not set"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    model: Path, arguments: list[str], message: str, refused: Refused
) -> None:
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/precious.txt").touch()
    Path("notes.txt").write_text("precious")
    refused(["detect", *(model if argument == "MODEL" else argument for argument in arguments)], message)


def start(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "fusedet.cli.main", "detect", *arguments]
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **options}
    )


@pytest.mark.skipif(
    os.name != "posix" or signal.getsignal(signal.SIGINT) != signal.default_int_handler,
    reason="Ctrl-C cannot be sent, or is ignored here",
)
def test_ctrl_c_keeps_what_was_written(model: Path) -> None:
    write_video(Path("long.mp4"), frames=1500, fps=30)
    process = start(str(model), "long.mp4", "--out", "result", "--json", "found.jsonl")
    deadline = time.monotonic() + 60
    found = Path("found.jsonl")
    while not (found.exists() and found.stat().st_size > 5000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    count = int(out.splitlines()[1].split()[0])
    assert 0 < count < 1500
    assert files("result") == ["long.mp4"]
    assert count <= count_frames("result/long.mp4") <= count + 1
    assert count <= len(lines("found.jsonl")) <= count + 1


def test_a_camera_of_the_network(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mjpeg_server("--user", "me", "--password", "geheim") as server:
        address = server.url("secret?key=geheim", "me:geheim")
        assert main(["detect", str(model), address, "--limit", "3", "--json", "found.jsonl", "--track"]) == 0
        label = f"127.0.0.1-{server.port}-secret"
    records = lines("found.jsonl")
    assert [record["frame"] for record in records] == sorted({record["frame"] for record in records})
    assert {record["source"] for record in records} == {server.url("secret?key=***")}
    assert [detection["name"] for record in records for detection in record["detections"]] == ["green"] * 3
    assert files("detections") == [f"{label}/{label}.mp4"]
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith("3 frames, 1 track, 3 detections, ")
    assert "geheim" not in out + err + Path("found.jsonl").read_text()


def test_a_camera_that_dies_is_an_error_but_keeps_what_was_written(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mjpeg_server() as server:
        assert main(["detect", str(model), server.url("short"), "--json", "found.jsonl", "--no-images"]) == 1
    assert lines("found.jsonl")[-1]["frame"] == 4
    out, err = capsys.readouterr()
    assert " frame" in out
    assert err.endswith(f"fusedet: error: {server.url('short')}: gives no more images\n")


def test_a_folder_is_looked_at_on_all_cores_in_order(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(12):
        cv2.imwrite(f"photos/b{i:02}.png", draw_image((16, 32, 80, 64), i % 3))
    found = {}
    for threads in ("1", "3"):
        arguments = ["photos/b*.png", "--no-images", "--threads", threads, "--json", f"{threads}.jsonl"]
        assert main(["detect", str(model), *arguments]) == 0
        out = capsys.readouterr().out
        assert ("images/s, 3 at a time" in out) == (threads == "3")
        found[threads] = [(record["source"], record["detections"]) for record in lines(f"{threads}.jsonl")]
    assert found["1"] == found["3"]
