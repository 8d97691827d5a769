"""The drawn video of a known number of people: what is drawn, and that a detector without fault counts it right."""

import dataclasses
import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import cv2
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
    cut_outs,
    draw_frame,
    draw_set,
    draw_video,
    expected,
    frames_of,
    main,
    walkers,
)
from fusedet.configs import InputError
from fusedet.deploy import Contract, Detections
from fusedet.deploy.camera.events.places import Line, Places, Zone
from fusedet.deploy.camera.events.rules import Rules
from fusedet.deploy.camera.sources import Frame
from fusedet.deploy.tracking.tracker import Tracker
from fusedet.train.data.coco import load_coco
from tests import ROOT
from tests.deploy.conftest import build_model, write_video
from tests.train.samples import dataset, sample

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


def test_walkers_never_touch() -> None:
    crowd = walkers([person(width=115) for _ in range(7)], 3, 2)  # nearly as wide as a cut-out may be
    assert {walker.feet for walker in crowd} == {220, 460}
    for frame in range(frames_of(crowd)):
        for feet in (220, 460):
            lane = sorted(box for walker in crowd if walker.feet == feet and (box := visible(walker, frame)))
            assert all(one[2] + 30 < other[0] for one, other in pairwise(lane))


def test_a_walker_is_drawn_where_its_box_is() -> None:
    crowd, floor = everybody(), np.zeros((*SIZE_HW, 3), np.uint8)
    image = draw_frame(crowd, 90, floor)
    assert not floor.any()
    for walker in crowd:
        box = visible(walker, 90)
        if box is not None:
            left, top, right, bottom = (round(side) for side in box)
            assert (image[top + 2 : bottom - 2, left + 2 : right - 2] > 250).mean() > 0.99
    assert image[242:244].max() < 50  # between the lanes, where the margins have faded out


def test_too_few_people_are_told() -> None:
    with pytest.raises(InputError, match="expected at least 7 cut-outs, but there are 2"):
        walkers([person(), person()], 3, 2)


def test_only_who_stands_whole_and_alone_is_cut_out(tmp_path: Path) -> None:
    boxes = {
        1: [[50, 40, 110, 190]],
        2: [[50, 40, 110, 190], [112, 50, 130, 80]],  # somebody near
        3: [[0, 40, 60, 190]],  # at the border
        4: [[50, 40, 110, 100]],  # small
        5: [[20, 40, 180, 190]],  # too wide
    }
    samples = []
    for number, found in boxes.items():
        one = sample(number, found, [0] * len(found))
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((200, 200, 3), 10 * number, np.uint8))
        samples.append(dataclasses.replace(one, path=path, height=200))
    (only,) = cut_outs(dataset(*samples), 0)
    assert only.image.shape == (200 - 25, 90, 3)
    assert only.box_xyxy == (15, 15, 75, 165)
    assert only.image.max() == 10


def test_a_drawn_set_can_be_trained_on(tmp_path: Path) -> None:
    root = draw_set(tmp_path / "set", [person(level=255)], train=6, val=2)
    for split, images in (("train", 6), ("val", 2)):
        read = load_coco(root / "annotations" / f"{split}.json", root / "images", require_boxes=True)
        assert len(read.samples) == images
        for one in read.samples:
            image = cv2.imread(str(one.path))
            assert image is not None
            for box in one.boxes_xyxy:
                left, top, right, bottom = (round(float(side)) for side in box)
                assert image[top + 3 : bottom - 3, left + 3 : right - 3].mean() > 245


def test_the_camera_runtime_counts_a_video(tmp_path: Path) -> None:
    onnx.save(build_model(Contract(("sky", "person", "sea"), (96, 128)), scores=(0.9,)), tmp_path / "model.onnx")
    write_video(tmp_path / "video.mp4", frames=12, fps=15)  # one green rectangle, which passes the line, above the zone
    assert count(tmp_path / "model.onnx", tmp_path / "video.mp4", 0.5) == {"line in": 1}


def test_the_video_is_as_long_as_the_walk(tmp_path: Path) -> None:
    crowd = everybody(0, 1)
    draw_video(tmp_path / "people.mp4", crowd)
    video = cv2.VideoCapture(str(tmp_path / "people.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == frames_of(crowd)
    video.release()


def test_mistakes_are_told(tmp_path: Path) -> None:
    (tmp_path / "trained-pico").mkdir()
    with pytest.raises(InputError, match="holds a training of pico already"):
        main(["--data", "none", "--train", "pico", "--out", str(tmp_path)])
    with pytest.raises(InputError, match="picco: this preset has no starter weights"):
        main(["--data", "none", "--train", "picco"])
    with pytest.raises(InputError, match=r"none.onnx: no such model file"):
        count("none.onnx", tmp_path / "none.mp4", 0.5)


@pytest.mark.slow
def test_a_fine_tuned_network_counts_real_people_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    if not (DATA / "annotations").is_dir():
        pytest.skip(f"no {DATA}; FUSEDET_DATA names another folder")
    assert main(["--data", str(DATA), "--model", "pico", "--train", "pico"]) == 0
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    counted = {row[1].strip(): row[3:] for row in rows}
    assert counted["pico.fused.onnx"] == counted["expected"]
