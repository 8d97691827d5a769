"""Videos of a fixed length: each is whole and plays at true speed, the oldest go, and what a crash left goes too."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fusedet.deploy.camera.sinks import SegmentedVideo
from fusedet.deploy.camera.sinks.files.retention import RetentionLimits
from fusedet.deploy.camera.sources import Frame
from tests import ROOT
from tests.deploy.camera.sinks.results import TAKEN_AT, make_frame, make_result
from tests.deploy.conftest import count_frames


def write(sink: SegmentedVideo, *seconds: float, camera: str = "door") -> None:
    for now_s in seconds:
        image = make_frame().image
        frame = Frame(image, "0", "door", 0, None, captured_s=500 + now_s, taken_at=TAKEN_AT + now_s)
        sink.write(make_result(frame, camera=camera))


def tenths(first: float, last: float) -> list[float]:
    return [tenth / 10 for tenth in range(round(10 * first), round(10 * last))]


def lengths(folder: Path) -> dict[str, int]:
    return {path.stem: count_frames(path) for path in sorted(folder.glob("*.mp4"))}


def test_each_video_has_its_length(tmp_path: Path) -> None:
    sink = SegmentedVideo(tmp_path / "new", minutes=2 / 60, limits=RetentionLimits(9))
    write(sink, *tenths(0, 5))
    assert list(lengths(tmp_path / "new").values())[:2] == [20, 20]
    sink.close()

    assert lengths(tmp_path / "new") == {
        "door_20251122T102030.250Z": 20,
        "door_20251122T102032.250Z": 20,
        "door_20251122T102034.250Z": 10,
    }


def test_videos_play_at_true_speed(tmp_path: Path) -> None:
    """And a gap begins a new one."""
    for name, seconds, images in (("true", (0, 0.05, 0.1, 1.0, 2.0), [21]), ("gap", (0, 0.1, 300.0, 300.1), [2, 2])):
        sink = SegmentedVideo(tmp_path / name, minutes=10, limits=RetentionLimits(9), fps=10)
        write(sink, *seconds)
        sink.close()
        assert list(lengths(tmp_path / name).values()) == images


def test_each_camera_keeps_its_newest(tmp_path: Path) -> None:
    (tmp_path / "holiday.mp4").touch()
    for first in (0, 4):
        sink = SegmentedVideo(tmp_path, minutes=1 / 60, limits=RetentionLimits(2))
        write(sink, *tenths(first, first + 4))
        write(sink, *tenths(first, first + 1), camera="door_2")
        sink.close()

    assert [name[-7:-5] for name in lengths(tmp_path) if re.match(r"door_\d{8}T", name)] == ["36", "37"]
    assert len([name for name in lengths(tmp_path) if name.startswith("door_2_")]) == 2
    assert (tmp_path / "holiday.mp4").exists()


CRASH = """
import os, sys
from pathlib import Path
from tests.deploy.camera.sinks.files.test_segmented_video import write
from fusedet.deploy.camera.sinks import SegmentedVideo
from fusedet.deploy.camera.sinks.files.retention import RetentionLimits
write(SegmentedVideo(Path(sys.argv[1]), 1 / 60, RetentionLimits(9)), *[tenth / 10 for tenth in range(25)])
os._exit(9)
"""


def test_what_a_crash_left_is_removed(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], cwd=ROOT).returncode == 9
    assert len(list(tmp_path.glob("*.part.mp4"))) == 1

    sink = SegmentedVideo(tmp_path, 1, RetentionLimits(9))
    assert list(lengths(tmp_path).values()) == [10, 10]
    sink.close()


def test_a_full_disk_is_said_and_the_video_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = SegmentedVideo(tmp_path, 1, RetentionLimits(9))
    write(sink, *tenths(0, 1))
    with monkeypatch.context() as context:
        context.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1 << 20))
        with pytest.raises(OSError, match="No space left") as raised:
            write(sink, *tenths(1, 3))
    assert raised.value.errno == errno.ENOSPC
    assert list(lengths(tmp_path).values()) == [10]
    write(sink, *tenths(3, 4))
    sink.close()

    assert list(lengths(tmp_path).values()) == [10, 10]
    assert os.listdir(tmp_path) == [path.name for path in tmp_path.glob("*Z.mp4")]
