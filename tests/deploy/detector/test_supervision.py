"""There and back again; what the package makes of it."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fusedet.deploy import Detections
from fusedet.deploy.detector.detections import NO_TRACK
from fusedet.deploy.detector.supervision import from_supervision, to_supervision

NAMES = ("cat", "dog", "owl")
FOUND = Detections(
    np.array([[1, 2, 3, 4.5], [10, 20, 30, 40]], np.float32),
    np.array([0.9, 0.25], np.float32),
    np.array([2, 0], np.int64),
    NAMES,
)


def assert_equal(first: Detections, second: Detections) -> None:
    for key in ("boxes_xyxy", "scores", "class_ids"):
        ours, theirs = getattr(first, key), getattr(second, key)
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert first.names == second.names


def test_there_and_back() -> None:
    supervision = pytest.importorskip("supervision")
    there = to_supervision(FOUND)
    assert isinstance(there, supervision.Detections)
    assert there["class_name"].tolist() == ["owl", "cat"]
    assert_equal(from_supervision(there, NAMES), FOUND)
    assert_equal(from_supervision(there[there.confidence > 0.5], NAMES), FOUND[:1])
    there.xyxy[:] = 0
    assert FOUND.boxes_xyxy[0, 3] == 4.5, "the arrays are copies"


def test_nothing_there_and_back() -> None:
    supervision = pytest.importorskip("supervision")
    none = Detections.empty(NAMES)
    there = to_supervision(none)
    assert len(there) == 0
    assert_equal(from_supervision(there, NAMES), none)
    assert_equal(from_supervision(supervision.Detections.empty(), NAMES), none)
    assert len(supervision.Detections.merge([there, to_supervision(FOUND)])) == 2


def test_tracks_there_and_back() -> None:
    pytest.importorskip("supervision")
    there = to_supervision(replace(FOUND, track_ids=np.array([7, NO_TRACK])))
    assert there.tracker_id.tolist() == [7, -1]
    assert from_supervision(there, NAMES).track_ids.tolist() == [7, NO_TRACK]
    assert to_supervision(FOUND).tracker_id is None
    assert from_supervision(to_supervision(FOUND), NAMES).track_ids is None


def like_theirs(**changes: object) -> SimpleNamespace:
    """What is read of their class; it needs no package."""
    parts = {
        "xyxy": np.array([[0, 0, 1, 1], [0, 0, 2, 2]]),
        "confidence": np.array([0.2, 0.7]),
        "class_id": np.array([0, 1]),
        "tracker_id": None,
    }
    return SimpleNamespace(**{**parts, **changes})


def test_the_highest_score_comes_first() -> None:
    found = from_supervision(like_theirs(), ["cat", "dog"])
    assert found.labels == ["dog", "cat"]
    assert found.boxes_xyxy.tolist() == [[0, 0, 2, 2], [0, 0, 1, 1]]
    tracked = from_supervision(like_theirs(tracker_id=np.array([4, 9])), ["cat", "dog"])
    assert tracked.track_ids.tolist() == [9, 4]
    assert (found.boxes_xyxy.dtype, found.scores.dtype, found.class_ids.dtype) == (np.float32, np.float32, np.int64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"confidence": None}, "must have confidence and class_id, but got none of confidence$"),
        ({"confidence": None, "class_id": None}, "but got none of confidence and class_id$"),
        ({"class_id": np.array([0, 2])}, r"class_ids must be in 0\.\.1, but got \[0 2\]"),
    ],
)
def test_what_is_missing_is_said(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_supervision(like_theirs(**changes), ["cat", "dog"])


def test_where_it_is_not_installed_one_line_says_so() -> None:
    code = """
import sys
sys.modules["supervision"] = None
from fusedet.deploy import Detections
from fusedet.deploy.detector.supervision import to_supervision
to_supervision(Detections.empty(("cat",)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "InputError: supervision cannot be imported" in result.stderr.splitlines()[-1]
    assert result.stderr.splitlines()[-1].endswith("install fusedet[supervision]")
