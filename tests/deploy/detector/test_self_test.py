"""The self-test travels in the file, passes where the file works, and tells what does not."""

import json
from functools import partial

import cv2
import numpy as np
import onnx
import pytest

from fusedet.cli.main import main
from fusedet.common.errors import InputError
from fusedet.deploy import Detector
from fusedet.deploy.detector.self_test import (
    SELF_TEST_KEY,
    SelfTest,
    compare_with_expected,
    open_tested,
    read_self_test,
    run_self_test,
)
from tests.deploy.conftest import COLORS_BGR, NAMES
from tests.detections import detections_of

IMAGE = np.zeros((48, 64, 3), np.uint8)
IMAGE[8:40, 16:48] = COLORS_BGR[1]


boxes = partial(detections_of, NAMES)


@pytest.fixture
def plain(make_model):
    """A file that finds the bright rectangle."""
    return make_model(scores=(0.9,))


@pytest.fixture
def model(plain):
    """The same with a self-test of what it finds."""
    put(plain, SelfTest(IMAGE, Detector(plain)(IMAGE), 0.25).to_metadata())
    return plain


def put(path, metadata):
    graph = onnx.load(path)
    before = {entry.key: entry.value for entry in graph.metadata_props}
    onnx.helper.set_model_props(graph, {**before, **metadata})
    onnx.save(graph, path)


def test_a_file_that_works_passes(model):
    result = run_self_test(model, threads=1)

    assert (result.passed, result.expected, result.faults) == (True, 1, ())
    assert result.score < 1e-4
    assert result.iou > 0.999
    assert result.milliseconds > 0


def test_the_image_comes_back_as_it_was(model):
    test = read_self_test(model)

    np.testing.assert_array_equal(test.image, IMAGE)
    assert test.expected.labels == ["green"]
    assert test.threshold == 0.25


def test_a_test_that_version_0_1_wrote_is_read(model):
    new = read_self_test(model)
    written = new.to_metadata()[SELF_TEST_KEY].replace('"image":', '"picture":')

    old = SelfTest.from_metadata({SELF_TEST_KEY: written}, NAMES, "old.onnx")
    np.testing.assert_array_equal(old.image, IMAGE)
    assert old.expected.labels == ["green"]


def test_a_file_without_self_test_says_so(plain):
    assert read_self_test(plain) is None
    with pytest.raises(InputError, match=r"model\.onnx: holds no self-test; an export with --data puts one in"):
        run_self_test(plain)


def test_a_file_that_finds_something_else_fails(model):
    put(model, SelfTest(IMAGE, boxes((0, 0, 10, 10, 0.9, 0)), 0.25).to_metadata())

    result = run_self_test(model)

    assert not result.passed
    assert result.faults[0] == "did not find red with score 0.90 at [0, 0, 10, 10]"
    assert result.faults[1].startswith("found green with score 0.90 at [16, 8, 48, 40], which is not expected")


CAT = (10, 10, 30, 40, 0.9, 0)


FOUND_AGAIN = {
    "same": ([CAT], [CAT], 0),
    "nothing to find": ([], [], 0),
    "missing": ([CAT], [], 1),
    "score within": ([CAT], [(10, 10, 30, 40, 0.885, 0)], 0),
    "score beyond": ([CAT], [(10, 10, 30, 40, 0.875, 0)], 2),
    "class": ([CAT], [(10, 10, 30, 40, 0.9, 1)], 2),
    "box within": ([CAT], [(10, 10, 30.5, 40, 0.9, 0)], 0),
    "box beyond": ([CAT], [(10, 10, 33, 40, 0.9, 0)], 2),
    "one for two": ([CAT, CAT], [CAT], 1),
    "two for one": ([CAT], [CAT, CAT], 1),
    "surplus near the threshold": ([CAT], [CAT, (0, 0, 9, 9, 0.26, 1)], 0),
    "surplus": ([CAT], [CAT, (0, 0, 9, 9, 0.28, 1)], 1),
    "just below the threshold": ([(0, 0, 9, 9, 0.255, 1)], [(0, 0, 9, 9, 0.245, 1)], 0),
}


@pytest.mark.parametrize(("expected", "found", "faults"), FOUND_AGAIN.values(), ids=FOUND_AGAIN)
def test_what_counts_as_found_again(expected, found, faults):
    test = SelfTest(IMAGE, boxes(*expected), 0.25)

    assert len(compare_with_expected(test, boxes(*found), 1.0).faults) == faults


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image", "not base64!"),
        ("image", "AAAA"),
        ("image", ""),
        ("boxes", [[1, 2, 3]]),
        ("boxes", [[1, 2, 3, 4, 0.5, 99]]),
        ("threshold", "high"),
        (None, "{"),
    ],
)
def test_a_damaged_self_test_is_said(model, key, value):
    metadata = {entry.key: entry.value for entry in onnx.load(model).metadata_props}
    text = json.dumps({**json.loads(metadata[SELF_TEST_KEY]), key: value}) if key else value
    put(model, {SELF_TEST_KEY: text})

    with pytest.raises(InputError, match=r"model\.onnx: damaged (self-test in its )?metadata: "):
        run_self_test(model)


def test_a_detector_can_be_tested_before_it_starts(model):
    assert open_tested(model, threads=1, score_threshold=0.5)(IMAGE).labels == ["green"]

    put(model, SelfTest(IMAGE, boxes((0, 0, 10, 10, 0.9, 0)), 0.25).to_metadata())
    with pytest.raises(InputError, match=r"model\.onnx: failed its self-test: did not find red .*; found green "):
        open_tested(model)


def test_the_command_tests_before_it_detects(model, tmp_path, capsys):
    image = tmp_path / "image.png"
    cv2.imwrite(str(image), IMAGE)
    command = ["detect", str(model), str(image), "--self-test", "--no-images"]

    assert main(command) == 0
    put(model, SelfTest(IMAGE, boxes(), 0.25).to_metadata())
    assert main(command) == 2
    assert "failed its self-test: found green" in capsys.readouterr().err
