"""Every setting of the YAML reaches the part that it is for."""

from pathlib import Path

import onnx
import pytest

from fusedet.cli.camera.parts import make_detector, make_pipeline, make_places
from fusedet.configs.camera.config import load_camera_config
from fusedet.configs.reader.variables import expand
from fusedet.deploy import Contract
from fusedet.deploy.camera.events.places import Line, Places, Zone
from tests.deploy.conftest import NAMES, build_model, write_video

CONFIG = """\
model: model.onnx
track: {match_iou: 0.3, lost_s: 3, still_s: 90, by_class: false}
cameras:
  door:
    source: video.mp4
    width: 640
    height: 480
    fps: 15
    fourcc: MJPG
    transport: udp
    timeout_s: 3
    frozen_s: null
    pace: false
    loop: true
    zones: [{name: step, points: [[0, 0], [1, 0], [1, 1]], classes: [red, red, green], dwell_s: 5}]
    lines: [{name: gate, start: [0, 0.5], end: [1, 0.5], min_frames: 5, margin: 0.2}]
    filters:
      all: {masks: [[[0, 0], [1, 0], [0, 1]]]}
      red: {score: 0.5, min_area: 0.01, max_area: 0.5}
outputs:
  detections: {path: found.jsonl, max_mb: 1, keep: 2}
  events: {path: events.jsonl, max_mb: 1, keep: 2}
  video: {folder: videos, minutes: 1, keep: 2}
  images: {folder: images, keep: 2}
  mqtt: {host: 127.0.0.1, port: 1, username: me, password: "${TOKEN}", topic: here, discovery: null, queue: m}
  webhook: {url: "http://127.0.0.1:1/", headers: {Authorization: "${TOKEN}"}, timeout_s: 1, queue: w, queue_events: 9}
"""


def test_all_parts_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKEN", "s3cret")
    onnx.save(build_model(Contract(NAMES, (96, 128)), scores=(0.9,)), "model.onnx")
    write_video(tmp_path / "video.mp4", frames=3, fps=20)
    Path("camera.yaml").write_text(CONFIG)
    config = expand(load_camera_config("camera.yaml"))

    assert make_places(config.cameras["door"]) == Places(
        (Zone("step", ((0, 0), (1, 0), (1, 1)), frozenset({"red", "green"}), 5.0),),
        (Line("gate", (0, 0.5), (1, 0.5), min_frames=5, margin=0.2),),
    )
    pipeline = make_pipeline(config, make_detector(config), lambda camera, places: None)
    with pipeline:
        names = list(pipeline.status()["sinks"])
    assert names == ["detections", "events", "video", "images", "mqtt", "webhook"]
    assert Path("found.jsonl").stat().st_size <= 1e6


def test_what_fails_leaves_no_output_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(build_model(Contract(NAMES, (96, 128)), scores=(0.9,)), "model.onnx")
    Path("camera.yaml").write_text(
        "model: model.onnx\ncameras: {door: {source: none.mp4}}\noutputs: {webhook: {url: 'http://127.0.0.1:1/'}}\n"
    )
    config = load_camera_config("camera.yaml")

    for _ in range(2):  # the second one would find the queue in use
        with pytest.raises(Exception, match=r"none\.mp4: no such file or folder"):
            make_pipeline(config, make_detector(config), lambda camera, places: None)
