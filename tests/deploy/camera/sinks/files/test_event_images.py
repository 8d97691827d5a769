"""Images of events: their names, that they are whole, and that the oldest go."""

import re
from pathlib import Path

import numpy as np

from fusedet.deploy.camera.sinks import EventImages
from fusedet.deploy.camera.sinks.files.retention import RetentionLimits
from fusedet.deploy.camera.sources import read_image
from tests.deploy.camera.sinks.results import TAKEN_AT, make_event, make_frame, make_result


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_image_of_each_event(tmp_path: Path) -> None:
    sink = EventImages(tmp_path / "new", RetentionLimits(10))
    crossing = make_event(2, kind="cross", direction="in", place="gate", id="fedcba9876543210", time=TAKEN_AT + 1.5)
    sink.write(make_result(events=(make_event(1, id="0123456789abcdef"), crossing)))
    sink.write(make_result())
    sink.close()

    assert names(tmp_path / "new") == [
        "20251122T102030.250Z_door_enter_step_01234567.jpg",
        "20251122T102031.750Z_door_cross-in_gate_fedcba98.jpg",
    ]
    image = read_image(tmp_path / "new" / names(tmp_path / "new")[0])
    assert image.shape == make_frame().image.shape
    assert np.abs(image.astype(int) - make_frame().image).max() > 100  # something is drawn in


def test_the_oldest_go_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    (tmp_path / ".fusedet-0123456789abcdef.part").touch()
    for first in (0, 3):
        sink = EventImages(tmp_path, RetentionLimits(4))
        for second in range(first, first + 3):
            sink.write(make_result(events=(make_event(second, time=TAKEN_AT + second),)))
    kept = [name[13:15] for name in names(tmp_path) if name != "holiday.jpg"]

    assert kept == ["32", "33", "34", "35"]
    assert "holiday.jpg" in names(tmp_path)
    EventImages(tmp_path, RetentionLimits(1))
    assert len(names(tmp_path)) == 2


def test_what_comes_now_is_the_newest_whatever_the_clock_says(tmp_path: Path) -> None:
    sink = EventImages(tmp_path, RetentionLimits(2))
    for time in (TAKEN_AT, TAKEN_AT + 1):
        sink.write(make_result(events=(make_event(time=time),)))
    sink = EventImages(tmp_path, RetentionLimits(2))  # the board was started anew, and has no battery
    sink.write(make_result(events=(make_event(time=60.0),)))

    assert [name[:8] for name in names(tmp_path)] == ["19700101", "20251122"]


def test_names_are_safe(tmp_path: Path) -> None:
    sink = EventImages(tmp_path, RetentionLimits(9))
    sink.write(make_result(events=(make_event(camera="../a b", place="Tür:*" + 100 * "x", id="../../etc"),)))
    [name] = names(tmp_path)

    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", name)
    assert ".." not in name
