import re
from pathlib import Path

import pytest

from fusedet.common.errors import InputError
from fusedet.configs.camera.config import load_camera_config
from fusedet.configs.reader.variables import expand

LEAST = "model: m.onnx\ncameras:\n  door:\n    source: '0'\n"


def load(tmp_path: Path, text: str, *overrides: str):  # type: ignore[no-untyped-def]
    path = tmp_path / "camera.yaml"
    path.write_text(text, encoding="utf-8")
    return load_camera_config(path, overrides)


def test_a_model_and_a_camera_are_all_that_is_needed(tmp_path: Path) -> None:
    config = load(tmp_path, LEAST)
    assert config.cameras["door"].source == "0"
    assert config.score == 0.25
    assert config.duplicate_iou == 0.7
    assert config.serve is None
    assert config.outputs.events is None


def test_a_camera_may_be_a_number(tmp_path: Path) -> None:
    assert load(tmp_path, LEAST.replace("'0'", "0")).cameras["door"].source == "0"


def test_outputs_have_queues_of_their_own(tmp_path: Path) -> None:
    text = LEAST + "outputs:\n  mqtt: {host: broker}\n  webhook: {url: 'https://example.org/hook'}\n"
    outputs = load(tmp_path, text).outputs
    assert (outputs.mqtt.queue, outputs.webhook.queue) == (Path("mqtt-queue"), Path("webhook-queue"))


def test_images_of_events_had_another_key(tmp_path: Path) -> None:
    assert load(tmp_path, f"{LEAST}outputs:\n  pictures: {{folder: shots}}\n").outputs.images.folder == Path("shots")
    assert load(tmp_path, LEAST, "outputs.pictures.folder=shots").outputs.images.folder == Path("shots")


@pytest.mark.parametrize(("text", "value"), [("null", None), ("1", 1.0), ("0.8", 0.8)])
def test_duplicates_may_be_kept(tmp_path: Path, text: str, value: float | None) -> None:
    assert load(tmp_path, f"{LEAST}duplicate_iou: {text}\n").duplicate_iou == value


def test_the_command_line_comes_last(tmp_path: Path) -> None:
    config = load(tmp_path, LEAST, "score=0.5", "cameras.door.source=video.mp4", "outputs.events={path: e.jsonl}")
    assert config.score == 0.5
    assert config.cameras["door"].source == "video.mp4"
    assert config.outputs.events is not None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("scoer: 0.3\n", "camera.yaml:5: scoer: unknown key, did you mean 'score'?"),
        ("score: 2\n", "camera.yaml:5: score: must be less than 1, but got 2"),
        ("    width: 3\n", "camera.yaml:5: cameras.door.width: must be greater than or equal to 16, but got 3"),
        ("    fourcc: MJPEG\n", "camera.yaml:5: cameras.door.fourcc: "),
        ("    zones: [{name: a, points: [[0, 0], [1, 1]]}]\n", "cameras.door.zones.0.points: "),
        (
            "    zones: [{name: a, points: [[0, 0], [320, 1], [1, 1]]}]\n",
            "cameras.door.zones.0.points: zone a: points: point 2 must be fractions of the image's width and height",
        ),
        (
            "    zones: [{name: a, points: [[0, 0], [1, 1], [1, 0], [0, 1]]}]\n",
            "camera.yaml:5: cameras.door.zones.0.points: zone a: points: the side after point 1 crosses the one after",
        ),
        (
            "    lines: [{name: a, start: [0, 0], end: [640, 0]}]\n",
            "camera.yaml:5: cameras.door.lines.0.end: line a: start and end: point 2 must be fractions of",
        ),
        ("    zones: [{name: a, points: [[0, 0], [0, 1], [1, 1]], min_frames: 0}]\n", "zones.0.min_frames: must be gr"),
        (
            "    filters: {person: {score: 2}}\n",
            "yaml:5: cameras.door.filters.person.score: must be less than 1",
        ),
        (
            "    filters: {person: {min_area: 0.5, max_area: 0.1}}\n",
            "cameras.door.filters.person: min_area 0.5 must not be above max_area 0.1",
        ),
        (
            "    filters: {all: {masks: [[[0, 0], [1, 1], [0.5, 0.5]]]}}\n",
            "cameras.door.filters.all.masks: mask 0: all points are on a straight line",
        ),
        ("    zones: [{name: a b, points: [[0, 0], [0, 1], [1, 1]]}]\n", "cameras.door.zones.0.name: "),
        ("    lines: [{name: a, start: [0, 0], end: [0, 0]}]\n", "start and end of a line must differ"),
        (
            "    zones: [{name: a, points: [[0, 0], [0, 1], [1, 1]]}]\n"
            "    lines: [{name: a, start: [0, 0], end: [1, 1]}]\n",
            "zones and lines must have names of their own, but a stands twice",
        ),
        (
            "    lines: [{name: a, start: [0, 0], end: [1, 1]}]\ntrack: null\n",
            "cameras.door has zones or lines, which need tracks, but track is null",
        ),
        ("serve: {host: 0.0.0.0}\n", "serve.host 0.0.0.0 lets others in, so serve.token is required"),
        ("serve: {token: short}\n", "serve.token must have at least 8 characters"),
        ("outputs: {mqtt: {host: h, topic: a/#}}\n", "outputs.mqtt.topic: expected a topic without #, + or blanks"),
        ("outputs: {webhook: {url: 'file:///etc/passwd'}}\n", "outputs.webhook.url: expected an address that begins"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        load(tmp_path, LEAST + more)


@pytest.mark.parametrize(
    "text", ["model: m.onnx\n", "model: m.onnx\ncameras: {}\n", "model: m.onnx\ncameras: {a/b: {}}\n"]
)
def test_there_is_at_least_one_camera(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"camera\.yaml.*cameras"):
        load(tmp_path, text)


def test_a_preset_is_no_camera_file() -> None:
    with pytest.raises(
        InputError, match="nano: expected a YAML file with cameras, but this is the preset of a network"
    ):
        load_camera_config("nano")


def test_secrets_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_PASSWORD", "s3cret")
    webhook = "outputs: {webhook: {url: 'https://example.org/', headers: {A: '${DOOR_PASSWORD}', B: '$HOME ${} $$'}}}\n"
    config = load(tmp_path, LEAST.replace("0", "rtsp://me:${DOOR_PASSWORD}@host/1") + webhook)
    expanded = expand(config)
    assert expanded.cameras["door"].source == "rtsp://me:s3cret@host/1"
    assert expanded.outputs.webhook is not None
    assert expanded.outputs.webhook.headers == {"A": "s3cret", "B": "$HOME ${} $$"}
    assert config.cameras["door"].source == "rtsp://me:${DOOR_PASSWORD}@host/1"
    with pytest.raises(InputError, match=r"^cameras\.door\.source: \$\{NOT_THERE\} stands for an environment variable"):
        expand(load(tmp_path, LEAST.replace("0", "rtsp://${NOT_THERE}")))
