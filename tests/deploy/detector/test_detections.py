from typing import Any

import numpy as np
import pytest

from fusedet.deploy import Detections

BOXES = np.array([[0, 0, 4, 4], [1, 1, 5, 5], [2, 2, 6, 6]], np.float32)
FOUND = Detections(BOXES, np.array([0.9, 0.8, 0.3], np.float32), np.array([1, 0, 1], np.int64), ("cat", "dog"))


def test_labels_and_length() -> None:
    assert len(FOUND) == 3
    assert FOUND.labels == ["dog", "cat", "dog"]


def test_selection() -> None:
    for index in (slice(1, None), np.array([False, True, True]), np.array([1, 2])):
        part = FOUND[index]
        np.testing.assert_array_equal(part.boxes_xyxy, BOXES[1:])
        assert part.labels == ["cat", "dog"]
        assert part.names == FOUND.names
    assert len(FOUND[FOUND.scores > 1]) == 0


def test_empty() -> None:
    nothing = Detections.empty(("cat",))
    assert (len(nothing), nothing.labels, nothing.boxes_xyxy.shape) == (0, [], (0, 4))


@pytest.mark.parametrize(
    ("boxes", "scores", "class_ids", "message"),
    [
        (np.zeros((2, 5)), np.zeros(2), np.zeros(2, int), r"boxes_xyxy must have shape \(N, 4\), but got \(2, 5\)"),
        (np.zeros(4), np.zeros(1), np.zeros(1, int), r"boxes_xyxy must have shape \(N, 4\), but got \(4,\)"),
        (np.zeros((2, 4)), np.zeros(1), np.zeros(2, int), r"shape \(2,\), but got \(1,\) and \(2,\)"),
        (np.zeros((2, 4)), np.zeros(2), np.zeros((2, 1), int), r"shape \(2,\), but got \(2,\) and \(2, 1\)"),
        (np.zeros((2, 4)), np.zeros(2), np.array([0, 2]), r"class_ids must be in 0\.\.1, but got \[0 2\]"),
        (np.zeros((2, 4)), np.zeros(2), np.array([-1, 0]), r"class_ids must be in 0\.\.1"),
    ],
)
def test_wrong_shapes_are_named(boxes: Any, scores: Any, class_ids: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detections(boxes, scores, class_ids, ("cat", "dog"))
