"""No line is lost, cut or half: over restarts, set aside, after a power cut, on a full disk."""

import errno
import json
import os
import shutil
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sinks import RotatingJsonLines
from tests.deploy.camera.sinks.results import make_event, make_frame, make_result
from tests.full_disk import full_disk


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def frames(path: Path) -> list[int]:
    return [record["frame"] for record in lines(path)]


def write(sink: RotatingJsonLines, *indices: int) -> None:
    for index in indices:
        sink.write(make_result(make_frame(index=index)))


def write_to(path: Path, *indices: int, max_mb: float = 1.0, keep: int = 3) -> None:
    with closing(RotatingJsonLines(path, max_mb, keep, "detections")) as sink:
        write(sink, *indices)


def test_a_line_for_each_frame_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "new" / "found.jsonl"
    for first in (0, 3):
        write_to(path, first, first + 1, first + 2)

    assert frames(path) == list(range(6))
    assert lines(path)[0]["camera"] == "door"
    assert [file.name for file in path.parent.iterdir()] == ["found.jsonl"]


def test_a_line_for_each_event(tmp_path: Path) -> None:
    events = tuple(make_event(number) for number in range(3))
    sink = RotatingJsonLines(tmp_path / "events.jsonl", 1, 5, "events")
    for some in (events[:2], (), events[2:]):
        sink.write(make_result(events=some))
    sink.close()

    assert lines(tmp_path / "events.jsonl") == [event.to_record() for event in events]


@pytest.mark.parametrize(
    ("keep", "there"), [(0, [[9]]), (2, [[9], [6, 7, 8], [3, 4, 5]]), (9, [[9], [6, 7, 8], [3, 4, 5], [0, 1, 2]])]
)
def test_large_files_are_set_aside(tmp_path: Path, keep: int, there: list[list[int]]) -> None:
    path = tmp_path / "a.jsonl"
    write_to(tmp_path / "probe", 1)
    limit = 3 * (tmp_path / "probe").stat().st_size + 2
    (tmp_path / "probe").unlink()
    for some in (range(5), range(5, 10)):
        write_to(path, *some, max_mb=limit / 1e6, keep=keep)

    names = ["a.jsonl", *(f"a.jsonl.{number}" for number in range(1, len(there)))]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert [frames(tmp_path / name) for name in names] == there


def test_a_line_that_is_larger_than_a_file_is_whole(tmp_path: Path) -> None:
    write_to(tmp_path / "a", 1, 2, max_mb=1e-5)

    assert frames(tmp_path / "a") == [2]
    assert frames(tmp_path / "a.1") == [1]


def test_a_half_line_of_a_power_cut_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"frame": 1}\n{"fra')
    write_to(path, 2)
    first, half, last = path.read_text().splitlines()

    assert (first, half, json.loads(last)["frame"]) == ('{"frame": 1}', '{"fra', 2)


def test_a_file_that_others_move_or_remove_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    sink = RotatingJsonLines(path, 1, 3, "detections")
    write(sink, 1)
    path.rename(tmp_path / "moved")
    write(sink, 2)
    path.unlink()
    write(sink, 3)
    sink.close()

    assert (frames(tmp_path / "moved"), frames(path)) == ([1], [3])


def test_a_full_disk_is_said_and_leaves_no_half_line(tmp_path: Path) -> None:
    """The system refuses what goes beyond a limit just as on a full disk: a part of the line is written first."""
    path = tmp_path / "a.jsonl"
    sink = RotatingJsonLines(path, 1, 3, "detections")
    write(sink, 1)
    size = path.stat().st_size
    with full_disk(size + 100):
        with pytest.raises(OSError, match="No space left on device") as raised:
            write(sink, 2)
        left = path.stat().st_size
    write(sink, 3)
    sink.close()

    assert raised.value.errno == errno.ENOSPC
    assert left == size
    assert frames(path) == [1, 3]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file: expected a folder that can be made"):
        RotatingJsonLines(tmp_path / "file" / "a.jsonl", 1, 1, "events")
    with pytest.raises(InputError, match=r"expected a file that can be written, but: Is a directory"):
        RotatingJsonLines(tmp_path, 1, 1, "events")


def test_lines_that_are_older_than_the_days_go_though_nothing_new_comes(tmp_path: Path) -> None:
    path, aside = tmp_path / "a.jsonl", tmp_path / "a.jsonl.1"
    began_s = make_result().frame.taken_at
    now = [began_s]
    sink = RotatingJsonLines(path, 1, 2, "detections", days=4, clock=lambda: now[0])
    sink.write(make_result())
    os.utime(path, (began_s, began_s))
    found = []
    for day in (1.9, 2.1, 3.9, 4.1):
        now[0] = began_s + day * 86400
        sink.tend()
        found.append((path.stat().st_size > 0, aside.exists()))
    sink.close()
    assert found == [(True, False), (False, True), (False, True), (False, False)]


def test_on_a_full_disk_the_oldest_lines_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, mine = tmp_path / "a.jsonl", tmp_path / "a.jsonl.mine"
    mine.write_text("mine")
    sink = RotatingJsonLines(path, 1, 3, "detections", min_free_gb=0.001)
    for number in (1, 2, 3, 4):
        (tmp_path / f"a.jsonl.{number}").write_text("old")

    def usage(_: object) -> SimpleNamespace:
        return SimpleNamespace(total=1 << 40, free=1_000_007 - 3 * len(list(tmp_path.glob("a.jsonl.?"))))

    monkeypatch.setattr(shutil, "disk_usage", usage)
    sink.write(make_result())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.jsonl", "a.jsonl.1", "a.jsonl.4", "a.jsonl.mine"]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=1 << 40, free=0))
    with pytest.raises(OSError, match="No space left"):
        sink.write(make_result())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.jsonl", "a.jsonl.4", "a.jsonl.mine"]
    sink.close()
