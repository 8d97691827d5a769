"""What is in a file tells a video from an image, whether it is whole, and when its frames were taken."""

import math
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources import SourceSettings, is_video, open_source
from fusedet.deploy.camera.sources.files.ends import is_cut_off
from fusedet.deploy.camera.sources.files.video import Video
from tests.deploy.conftest import draw_image

FRAMES = 12


def write(path: Path, fourcc: str, frames: int = FRAMES) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*fourcc), 10, (96, 64))
    assert writer.isOpened()
    for number in range(frames):
        image = np.random.default_rng(number).integers(60, 200, (64, 96, 3), np.uint8)
        writer.write(cv2.blur(image, (3, 3)))
    writer.release()
    return path


def jpegs(count: int) -> bytes:
    return b"".join(cv2.imencode(".jpg", draw_image((8, 8, 20 + i, 40)))[1].tobytes() for i in range(count))


VIDEOS = [
    (".mp4", "mp4v"),
    (".avi", "MJPG"),
    (".mkv", "mp4v"),
    (".mov", "mp4v"),
    (".wmv", "WMV2"),
    (".ts", "mp4v"),
    (".flv", "FLV1"),
]


@pytest.mark.parametrize(("suffix", "fourcc"), VIDEOS)
@pytest.mark.parametrize("name", ["rec.jpg", "Größe 猫.bin"])
def test_a_video_is_one_whatever_its_name(tmp_path: Path, suffix: str, fourcc: str, name: str) -> None:
    path = write(tmp_path / f"a{suffix}", fourcc).rename(tmp_path / name)
    source = open_source(str(path))
    frames = list(source)
    source.close()
    assert (source.fps, len(frames), source.unreadable) == (10.0, FRAMES, 0)
    assert [frame.time_s for frame in frames] == pytest.approx([number / 10 for number in range(FRAMES)])


@pytest.mark.parametrize("name", ["a.mjpeg", "a.mjpg"])
def test_jpegs_one_after_the_other_are_a_video_and_one_is_an_image(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(jpegs(5))
    frames = list(open_source(str(path)))
    assert len(frames) == 5
    times = [frame.time_s for frame in frames]
    assert all(later > earlier for earlier, later in pairwise(times))  # type: ignore[operator]
    path.write_bytes(jpegs(1))
    assert [frame.time_s for frame in open_source(str(path))] == [None]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff"])
@pytest.mark.parametrize("name", ["a", "a.mp4"])
def test_an_image_is_one_whatever_its_name(tmp_path: Path, suffix: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(cv2.imencode(suffix, draw_image((8, 8, 40, 40)))[1].tobytes())
    assert not is_video(path)
    assert [frame.time_s for frame in open_source(str(path))] == [None]


def test_a_photo_with_a_second_image_behind_it_is_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpegs(2))  # as telephones write them: with depth or brightness
    assert [frame.time_s for frame in open_source(str(tmp_path / "a.jpg"))] == [None]


@pytest.mark.parametrize("name", ["notes.txt", "a.dav"])
@pytest.mark.parametrize("data", [b"hello\n" * 500, b"", bytes(5000), b"\x00\x01\xff" * 700])
def test_what_is_neither_is_said_in_one_line(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=r"not an image that OpenCV can decode, nor a video"):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize(("suffix", "fourcc"), VIDEOS)
@pytest.mark.parametrize("share", [0.5, 0.83])
def test_a_video_whose_end_is_missing_is_told(tmp_path: Path, suffix: str, fourcc: str, share: float) -> None:
    data = write(tmp_path / f"whole{suffix}", fourcc).read_bytes()
    assert not is_cut_off(tmp_path / f"whole{suffix}")
    path = tmp_path / f"half{suffix}"
    path.write_bytes(data[: int(len(data) * share) // 188 * 188 + 7])  # not at the end of a packet
    assert is_cut_off(path)
    if suffix in (".mp4", ".mov"):  # whose index is at the end
        with pytest.raises(InputError, match="it is cut off, or was not finished"):
            open_source(str(path))
        return
    source = open_source(str(path))
    assert 0 < len(list(source)) < FRAMES
    assert source.unreadable >= 1
    assert "is cut off" in str(source.health.error)


def test_a_program_stream_whose_end_is_missing_is_told(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.vob"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mpg2"), 25, (96, 64))
    for number in range(FRAMES):
        writer.write(np.random.default_rng(number).integers(60, 200, (64, 96, 3), np.uint8))
    writer.release()
    data = (tmp_path / "a.vob").read_bytes()
    assert not is_cut_off(tmp_path / "a.vob")
    for length in (len(data) // 2 - 7, len(data) - 100):
        (tmp_path / "half.vob").write_bytes(data[:length])
        assert is_cut_off(tmp_path / "half.vob")


def ogg_page(size: int) -> bytes:
    sizes = bytes([255] * (size // 255) + [size % 255])
    return b"OggS" + bytes(22) + bytes([len(sizes)]) + sizes + b"x" * size


@pytest.mark.parametrize(
    ("whole", "missing"),
    [
        (ogg_page(700) + ogg_page(300), 1),
        (ogg_page(700) + ogg_page(300), 310),
        (jpegs(3) + b"\r\n", 4),
        (b"GIF89a" + bytes(20) + b";", 1),
        (b"\x89PNG\r\n" + bytes(20) + b"IEND\xaeB`\x82", 3),
    ],
)
def test_other_kinds_end_as_they_must(tmp_path: Path, whole: bytes, missing: int) -> None:
    (tmp_path / "a").write_bytes(whole)
    (tmp_path / "half").write_bytes(whole[:-missing])
    assert (is_cut_off(tmp_path / "a"), is_cut_off(tmp_path / "half")) == (False, True)


def with_index_in_front(path: Path) -> bytes:
    """An MP4 whose index comes before its frames, as recorders for the web write it."""
    data = path.read_bytes()
    boxes, at = {}, 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        boxes[data[at + 4 : at + 8]] = data[at : at + size]
        at += size
    index = bytearray(boxes[b"moov"])
    place = index.find(b"stco") + 8
    for entry in range(place + 4, place + 4 + 4 * int.from_bytes(index[place : place + 4], "big"), 4):
        moved = int.from_bytes(index[entry : entry + 4], "big") + len(index)
        index[entry : entry + 4] = moved.to_bytes(4, "big")
    rest = [box for kind, box in boxes.items() if kind not in (b"ftyp", b"moov")]
    return b"".join([boxes[b"ftyp"], bytes(index), *rest])


def test_half_an_mp4_with_its_index_in_front_counts_what_is_missing(tmp_path: Path) -> None:
    data = with_index_in_front(write(tmp_path / "whole.mp4", "mp4v"))
    (tmp_path / "front.mp4").write_bytes(data)
    source = open_source(str(tmp_path / "front.mp4"))
    assert (len(list(source)), source.unreadable) == (FRAMES, 0)
    (tmp_path / "half.mp4").write_bytes(data[: len(data) // 2])
    source = open_source(str(tmp_path / "half.mp4"))
    frames = list(source)
    assert 0 < len(frames) < FRAMES
    assert source.unreadable == FRAMES - len(frames)


class Stamped:
    """A ``cv2.VideoCapture`` whose frames have these stamps, in seconds."""

    def __init__(self, stamps: list[float]) -> None:
        self.stamps, self.now_s = list(stamps), 0.0

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple[bool, Any]:
        if not self.stamps:
            return False, None
        self.now_s = self.stamps.pop(0)
        return True, np.zeros((8, 8, 3), np.uint8)

    def get(self, key: int) -> float:
        return {cv2.CAP_PROP_POS_MSEC: 1000 * self.now_s, cv2.CAP_PROP_FPS: 10.0}.get(key, -1.0)

    def release(self) -> None:
        pass


def opened(stamps: list[float], **settings: bool) -> Video:
    return Video(lambda: Stamped(stamps), "rec", "rec", None, SourceSettings(**settings))


def test_frames_have_the_times_of_a_variable_rate() -> None:
    assert [frame.time_s for frame in opened([1.0, 1.1, 1.5, 46.5])] == pytest.approx([0, 0.1, 0.5, 45.5])


def test_stamps_that_tell_nothing_become_times_of_the_nominal_rate() -> None:
    for stamps in ([0.0] * 4, [math.nan] * 4, [3.0, 2.0, 1.0, 0.0]):
        assert [frame.time_s for frame in opened(stamps)] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_paced_video_that_waits_for_a_stamp_is_alive_meanwhile() -> None:
    video = opened([0.0, 45.0], pace=True)
    frames = iter(video)
    next(frames)
    assert video.health.alive_s == -math.inf
    waiting = threading.Thread(target=lambda: next(frames, None))
    waiting.start()
    end_s = time.monotonic() + 60
    while not math.isfinite(video.health.alive_s):
        assert time.monotonic() < end_s
        time.sleep(0.005)
    video.close()
    waiting.join()
