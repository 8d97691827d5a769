"""Images and boxes that are cut to an aspect stay in their places."""

from pathlib import Path

import numpy as np

from benchmarks.speed.rectangles import cut_annotations, cut_set
from fusedet.train.data.coco import Sample, load_coco
from tests.train.drawing import draw_set


def test_boxes_move_with_their_image_and_are_cut() -> None:
    boxes = np.array([[10, 70, 30, 90], [10, 50, 30, 80], [10, 40, 30, 65], [10, 0, 30, 60]], np.float32)
    sample = Sample(
        image_id=1,
        path=Path("a.png"),
        width=640,
        height=480,
        boxes_xyxy=boxes,
        labels=np.array([0, 1, 0, 0]),
        crowd=np.zeros(4, bool),
        areas=np.ones(4, np.float32),
        scores=np.ones(4, np.float32),
    )

    found = cut_annotations(sample, 0, 60, 640, 360)

    assert [one["bbox"] for one in found] == [[10, 10, 20, 20], [10, 0, 20, 20], [10, 0, 20, 5]]
    assert [one["category_id"] for one in found] == [1, 2, 1]
    assert [one["iscrowd"] for one in found] == [0, 0, 1], "of the third less than half is left"
    assert [one["area"] for one in found] == [400, 400, 100]


def test_the_cut_set_can_be_read(tmp_path: Path) -> None:
    data = draw_set(tmp_path / "set")

    frames = cut_set(data / "annotations" / "val.json", data / "images", 2.0, tmp_path / "cut")

    dataset = load_coco(tmp_path / "cut" / "val.json", tmp_path / "cut" / "images")
    assert {(sample.width, sample.height) for sample in dataset.samples} == {(96, 48)}
    assert [frame.shape for frame in frames] == [(640, 1280, 3)] * 3
