import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from fusedet.configs import InputError
from fusedet.deploy.camera.sinks import (
    AnnotatedImages,
    AnnotatedVideo,
    JsonLines,
    Window,
    new_folder,
    to_camera_record,
    to_record,
)
from fusedet.deploy.camera.sources import read_image
from tests.deploy.camera.sinks.results import FOUND, NOTHING, make_event, make_frame, make_result
from tests.deploy.conftest import count_frames


def read_video(path: Path) -> tuple[int, float]:
    """How many frames it has, and how many of them in a second."""
    return count_frames(path), cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS)


def test_json_lines_say_everything() -> None:
    stream = io.StringIO()
    sink = JsonLines(stream)
    sink.write(make_result(make_frame("ü.png"), FOUND))
    sink.write(make_result(make_frame("v.mp4", 7, 0.70001), NOTHING))
    sink.close()
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first == {
        "source": "/photos/ü.png",
        "frame": 0,
        "time_s": None,
        "width": 128,
        "height": 96,
        "detections": [{"box_xyxy": [1.23, 2.0, 30.5, 40.0], "score": 0.8765, "class_id": 1, "name": "Löwe"}],
    }
    assert (second["frame"], second["time_s"], second["detections"]) == (7, 0.7, [])
    assert stream.getvalue().isascii()


def test_a_cameras_record_says_when_and_what_happened() -> None:
    event = make_event()
    result = make_result(events=(event,))

    assert to_camera_record(result) == {
        "camera": "door",
        "taken_at": 1763806830.25,
        "age_ms": 50.0,
        **to_record(result),
        "events": [event.to_record()],
    }
    assert "events" not in to_record(result)
    secret = replace(result, frame=replace(result.frame, source="rtsp://anna:p@ss@camera.local/stream"))
    assert to_camera_record(secret)["source"] == "rtsp://camera.local/stream"


def test_images_keep_folder_and_suffix(tmp_path: Path) -> None:
    sink = AnnotatedImages(tmp_path)
    for name in ("a.png", "a.jpg", "x/a.png", "y/猫.png", "scan.tif", "scan.tif.jpg", "A.JPG"):
        sink.write(make_result(make_frame(name), FOUND))
    sink.close()
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    assert written == ["A.JPG", "_scan.tif.jpg", "a.jpg", "a.png", "scan.tif.jpg", "x/a.png", "y/猫.png"]
    for name in written:
        assert read_image(tmp_path / name).shape == (96, 128, 3)
    assert (read_image(tmp_path / "a.png") != make_frame().image).any()


def test_a_video_has_every_frame(tmp_path: Path) -> None:
    sink = AnnotatedVideo(tmp_path / "ü.mp4", 29.97)
    for index in range(9):
        sink.write(make_result(make_frame("v.mp4", index, index / 29.97), FOUND))
    assert not (tmp_path / "ü.mp4").exists()
    sink.close()
    assert read_video(tmp_path / "ü.mp4") == (9, pytest.approx(29.97))
    assert [path.name for path in tmp_path.iterdir()] == ["ü.mp4"]


def test_a_slow_cameras_video_plays_at_true_speed(tmp_path: Path) -> None:
    sink = AnnotatedVideo(tmp_path / "v.mp4", 10)
    for index, time_s in enumerate((0.0, 0.04, 0.31, 0.52, 1.0)):
        sink.write(make_result(make_frame("camera-0", index, time_s), NOTHING))
    sink.close()
    assert read_video(tmp_path / "v.mp4")[0] == 11  # 0.0 to 1.0 s


@pytest.mark.parametrize("fps", [240.123, 1000.0, 0.5, 23.976023976])
def test_odd_rates_are_written(tmp_path: Path, fps: float) -> None:
    sink = AnnotatedVideo(tmp_path / "v.mp4", fps)
    sink.write(make_result(make_frame("v.mp4", 0, 0.0), NOTHING))
    sink.close()
    assert read_video(tmp_path / "v.mp4") == (1, pytest.approx(fps, rel=1e-3))


def test_a_stream_that_changes_its_size_stays_whole(tmp_path: Path) -> None:
    sink = AnnotatedVideo(tmp_path / "v.mp4", 10)
    sink.write(make_result(make_frame("v.mp4", 0, 0.0), NOTHING))
    sink.write(make_result(make_frame("v.mp4", 1, 0.1, size_hw=(80, 80)), NOTHING))
    sink.close()
    assert read_video(tmp_path / "v.mp4")[0] == 2


def test_no_frame_no_video(tmp_path: Path) -> None:
    AnnotatedVideo(tmp_path / "v.mp4", 10).close()
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_no_video_can_be_is_named(tmp_path: Path) -> None:
    sink = AnnotatedVideo(tmp_path / "none" / "v.mp4", 10)
    with pytest.raises(InputError, match=r"none/v\.mp4: this OpenCV .* cannot write an MP4 video there"):
        sink.write(make_result(make_frame("v.mp4", 0, 0.0), NOTHING))
    sink.close()


def test_new_folders_never_meet(tmp_path: Path) -> None:
    names = [new_folder(tmp_path / "detections" / "street").name for _ in range(3)]
    assert names == ["street", "street-2", "street-3"]
    (tmp_path / "detections" / "file").touch()
    assert new_folder(tmp_path / "detections" / "file").name == "file-2"


def test_a_window_without_a_screen_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(InputError, match="a window needs a screen, but DISPLAY is not set"):
        Window("test")
