from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fusedet.configs import InputError
from fusedet.train.data.doctor.checks.duplicates import Seen
from fusedet.train.labelling.footage import find_videos, frames_every, take_frames

RATE, SIDE = 10, 96


def scene(seed: int) -> NDArray[np.uint8]:
    """Blocks that OpenCV's codecs keep recognisable."""
    blocks = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(blocks, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)


def record(path: Path, scenes: list[NDArray[np.uint8]], seconds_each: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE, (SIDE, SIDE))
    for image_file in scenes:
        for _ in range(round(seconds_each * RATE)):
            writer.write(image_file)
    writer.release()
    return path


def test_a_frame_every_some_seconds(tmp_path: Path) -> None:
    video = record(tmp_path / "gate.avi", [scene(i) for i in range(3)])
    assert [time for time, _ in frames_every(video, 1.0)] == pytest.approx([0, 1, 2], abs=0.06)
    assert [time for time, _ in frames_every(video, 0.5)] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5], abs=0.06)
    assert len(list(frames_every(video, 100))) == 1
    assert len(list(frames_every(video, 0.001))) == 3 * RATE


def test_what_shows_nothing_new_is_left_out(tmp_path: Path) -> None:
    """Also when it was seen in another recording."""
    one = record(tmp_path / "day" / "gate.avi", [scene(0), scene(1), scene(0)])
    two = record(tmp_path / "night" / "gate.avi", [scene(1), scene(2)])
    assert find_videos(tmp_path) == [one, two]
    assert find_videos(one) == [one]
    frames = take_frames([one, two], 0.5, tmp_path / "images")
    assert [image_file.image_id for image_file in frames.image_files] == [1, 2, 3]
    assert [image_file.file_name.rpartition("-")[0] for image_file in frames.image_files] == [
        "day/gate",
        "day/gate",
        "night/gate",
    ]
    assert frames.alike == 7
    assert all(cv2.imread(str(image_file.path)).shape == (SIDE, SIDE, 3) for image_file in frames.image_files)

    assert take_frames([one, two], 0.5, tmp_path / "images") == frames, "again, it writes the same"
    frames.image_files[0].path.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists already, and is another image"):
        take_frames([one, two], 0.5, tmp_path / "images")
    assert frames.image_files[0].path.read_bytes() == b"mine"


def test_a_night_without_anything_is_one_image() -> None:
    seen, rng = Seen(), np.random.default_rng(0)
    dark = [rng.integers(8, 14, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(4)]
    assert [seen.is_new(image_file) for image_file in dark] == [True, False, False, False]
    assert seen.is_new(np.full((SIDE, SIDE, 3), 90, np.uint8))
    walker = dark[0].copy()
    walker[20:70, 30:50] = 90
    assert seen.is_new(walker)


def test_bad_recordings_are_told(tmp_path: Path) -> None:
    fake = tmp_path / "fake.avi"
    fake.write_bytes(b"no video")
    with pytest.raises(InputError, match=r"fake\.avi: not a video that OpenCV can read"):
        take_frames([fake], 1.0, tmp_path / "images")
    assert not (tmp_path / "images").exists()
    twins = [record(tmp_path / f"a.{suffix}", [scene(0)]) for suffix in ("avi", "mkv")]
    with pytest.raises(InputError, match=r"a\.mkv and .*a\.avi would give images of one name"):
        take_frames(twins, 1.0, tmp_path / "images")
