"""The drawn video of a known number of people: what is drawn, and that a detector without fault counts it right."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.camera.counting import (
    LINE,
    SIZE_HW,
    ZONE,
    CutOut,
    Walker,
    count,
    expected,
    frames_of,
    main,
    walkers,
)
from fusedet.deploy import Contract, Detections
from fusedet.deploy.camera.events.places import Line, Places, Zone
from fusedet.deploy.camera.events.rules import Rules
from fusedet.deploy.camera.sources import Frame
from fusedet.deploy.tracking.tracker import Tracker
from tests import ROOT
from tests.deploy.conftest import build_model, write_video

DATA = ROOT / os.environ.get("FUSEDET_DATA", "../shared/data") / "coco80"
FPS = 15


def person(width: int = 80, height: int = 200, level: int = 255) -> CutOut:
    return CutOut(np.full((height + 40, width + 40, 3), level, np.uint8), (20, 20, 20 + width, 20 + height))


def everybody(above: int = 3, below: int = 2) -> list[Walker]:
    return walkers([person(60 + 5 * number) for number in range(above + below + 2)], above, below)


def visible(walker: Walker, frame: int) -> tuple[float, float, float, float] | None:
    """The box as a detector without fault has it: clipped to the image."""
    left, top, right, bottom = walker.box_at(frame)
    left, right = max(left, 0), min(right, SIZE_HW[1])
    return (left, top, right, bottom) if right - left > 5 else None


def found_without_fault(crowd: list[Walker], frame: int) -> Detections:
    boxes = [box for walker in crowd if (box := visible(walker, frame)) is not None]
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(array, np.full(len(array), 0.9, np.float32), np.zeros(len(array), np.int64), ("person",))


def places() -> Places:
    start, end, *corners = (tuple(point) for point in (LINE["start"], LINE["end"], *ZONE["points"]))
    return Places((Zone("zone", tuple(corners)),), (Line("line", start, end),))


@pytest.mark.parametrize(("above", "below"), [(3, 2), (1, 4), (0, 1)])
def test_a_detector_without_fault_counts_what_is_expected(above: int, below: int) -> None:
    crowd, tracker, rules = everybody(above, below), Tracker(fps=FPS), Rules("camera", places())
    image = np.zeros((*SIZE_HW, 3), np.uint8)
    counted: Counter[str] = Counter()
    for index in range(frames_of(crowd)):
        tracked = tracker.update(found_without_fault(crowd, index), index / FPS)
        for event in rules.update(tracked, Frame(image, "", "", index, index / FPS)):
            counted[f"{event.place} {event.direction or event.kind}"] += 1
    assert counted == Counter(expected(above, below))


def test_the_camera_runtime_counts_a_video(tmp_path: Path) -> None:
    onnx.save(build_model(Contract(("sky", "person", "sea"), (96, 128)), scores=(0.9,)), tmp_path / "model.onnx")
    write_video(tmp_path / "video.mp4", frames=12, fps=15)  # one green rectangle, which passes the line, above the zone
    assert count(tmp_path / "model.onnx", tmp_path / "video.mp4", 0.5) == {"line in": 1}


@pytest.mark.slow
def test_a_fine_tuned_network_counts_real_people_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    if not (DATA / "annotations").is_dir():
        pytest.skip(f"no {DATA}; FUSEDET_DATA names another folder")
    assert main(["--data", str(DATA), "--model", "pico", "--train", "pico"]) == 0
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    counted = {row[1].strip(): row[3:] for row in rows}
    assert counted["pico.fused.onnx"] == counted["expected"]
