import errno
import shutil
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from fusedet.deploy.camera.sinks.files.folders import time_stamp
from fusedet.deploy.camera.sinks.files.retention import STAMP, Retention, RetentionLimits

NOW_S = datetime(2026, 3, 10, 12, tzinfo=timezone.utc).timestamp()
DAY_S = 86400.0
PATTERN = rf"(?P<of>.+)_{STAMP}\.mp4"


def put(folder: Path, camera: str, days_ago: float, size: int = 1000) -> Path:
    path = folder / f"{camera}_{time_stamp(NOW_S - days_ago * DAY_S)}.mp4"
    path.write_bytes(bytes(size))
    return path


def keep(folder: Path, **limits: float) -> Retention:
    return Retention(folder, PATTERN, RetentionLimits(**limits), clock=lambda: NOW_S)  # type: ignore[arg-type]


def test_what_is_older_than_the_days_goes_also_of_cameras_that_are_gone(tmp_path: Path) -> None:
    old = [put(tmp_path, camera, 8) for camera in ("door", "yard")]
    new = put(tmp_path, "door", 6)
    keep(tmp_path, days=7)
    assert not any(path.exists() for path in old)
    assert new.exists()


def test_it_goes_when_the_day_has_come_and_nothing_new_is_written(tmp_path: Path) -> None:
    path, now = put(tmp_path, "door", 6), [NOW_S]
    retention = Retention(tmp_path, PATTERN, RetentionLimits(days=7), clock=lambda: now[0])
    retention.tend()
    assert path.exists()
    now[0] += 2 * DAY_S
    retention.tend()
    assert not path.exists()


def test_a_board_whose_clock_was_not_set_loses_nothing_by_age(tmp_path: Path) -> None:
    path = put(tmp_path, "door", NOW_S / DAY_S)
    future = put(tmp_path, "door", -400)
    keep(tmp_path, days=7)
    assert path.exists()
    assert future.exists()


def test_the_oldest_beyond_the_size_go_whosever_they_are(tmp_path: Path) -> None:
    paths = [put(tmp_path, camera, days) for days, camera in ((4, "a"), (3, "b"), (2, "a"), (1, "b"))]
    retention = keep(tmp_path, max_gb=3e-6)
    assert [path.exists() for path in paths] == [False, True, True, True]
    retention.add(put(tmp_path, "a", 0, size=2000))
    assert [path.exists() for path in paths] == [False, False, False, True]


def test_so_many_stay_of_each_camera(tmp_path: Path) -> None:
    of_a = [put(tmp_path, "a", days) for days in (5, 4, 3)]
    of_b = put(tmp_path, "b", 9)
    keep(tmp_path, keep=2)
    assert [path.exists() for path in (*of_a, of_b)] == [False, True, True, True]


def disk(monkeypatch: pytest.MonkeyPatch, folder: Path, room: int) -> None:
    """Of ``room`` bytes, of which the files in the folder take their part."""

    def usage(_: object) -> SimpleNamespace:
        used = sum(path.stat().st_size for path in folder.iterdir())
        return SimpleNamespace(total=1 << 40, free=room - used)

    monkeypatch.setattr(shutil, "disk_usage", usage)


def test_a_disk_is_never_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "holiday.mp4"
    mine.write_bytes(bytes(100))
    paths = [put(tmp_path, "a", days) for days in (3, 2, 1)]
    disk(monkeypatch, tmp_path, room=1_004_000)
    retention = keep(tmp_path, min_free_gb=1e-3)
    retention.make_room()
    assert all(path.exists() for path in paths)
    disk(monkeypatch, tmp_path, room=1_002_000)
    retention.make_room()
    assert [path.exists() for path in paths] == [False, False, True]
    disk(monkeypatch, tmp_path, room=999_000)
    with pytest.raises(OSError, match="No space left on device: less than") as caught:
        retention.make_room()
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == [mine]


def test_on_a_small_disk_a_tenth_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "a", 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=100_000_000, free=11_000_000))
    keep(tmp_path, min_free_gb=0.5).make_room()
    assert path.exists()


def test_only_what_is_named_as_the_sink_names_it_goes(tmp_path: Path) -> None:
    stamp = time_stamp(NOW_S - 99 * DAY_S)
    outside = tmp_path.parent / f"{tmp_path.name}-mine.mp4"
    outside.write_bytes(b"mine")
    names = ("holiday.mp4", f"{stamp}.mp4", f"a_{stamp}.mp4.bak", f"a_{stamp}.MP4", f"a_{stamp}.avi", "a_20260101.mp4")
    for name in names:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / f"folder_{stamp}.mp4").mkdir()
    (tmp_path / f"link_{stamp}.mp4").symlink_to(outside)
    before = sorted(tmp_path.iterdir())
    keep(tmp_path, days=1, max_gb=1e-9, keep=1)
    assert sorted(tmp_path.iterdir()) == before
    assert outside.exists()


def test_one_that_somebody_removed_is_no_trouble(tmp_path: Path) -> None:
    retention = keep(tmp_path, keep=1)
    path = put(tmp_path, "a", 2)
    retention.add(path)
    path.unlink()
    retention.add(put(tmp_path, "a", 1))
    retention.add(tmp_path / f"a_{time_stamp(NOW_S)}.mp4")  # gone before it was looked at
