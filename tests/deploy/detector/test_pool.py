"""Several detectors of one file."""

from pathlib import Path

import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy import Detector, DetectorPool
from tests.deploy.conftest import Image, draw_image


def drawn(count: int) -> list[Image]:
    return [draw_image((16, 16, 32 + 8 * (i % 8), 48), i % 3) for i in range(count)]


@pytest.mark.parametrize("size", [1, 3])
def test_a_pool_finds_what_one_detector_finds_in_order(model: Path, size: int) -> None:
    detector, pool = Detector(model), DetectorPool(model, size)
    images = drawn(20)
    for expected, found in zip(map(detector, images), pool.map(images), strict=True):
        np.testing.assert_array_equal(found.boxes_xyxy, expected.boxes_xyxy)
        np.testing.assert_array_equal(found.class_ids, expected.class_ids)
    assert [len(one) for one in pool.batch(images)] == [1] * len(images)


def test_a_pool_has_a_thread_for_each_detector_and_one_detector_for_each_core(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("fusedet.deploy.detector.pool.physical_cores", lambda: 3)
    whole = Detector.__init__

    def opened(self: Detector, path: Path, **settings: object) -> None:
        asked.append(settings["threads"])
        whole(self, path, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(Detector, "__init__", opened)
    pool = DetectorPool(model, classes=["red"])
    assert asked == [1, 1, 1]
    assert len(pool) == 3
    assert pool.names == ("red", "green", "blue")
    assert [detector.classes for detector in pool.detectors] == [("red",)] * 3


def test_times_are_those_of_the_same_call(model: Path) -> None:
    _, timings = DetectorPool(model, 2).detect(drawn(1)[0])
    assert timings.pre > 0
    assert timings.inference > 0


def test_an_image_of_another_form_is_refused_and_the_pool_goes_on(model: Path) -> None:
    pool = DetectorPool(model, 1)
    with pytest.raises(InputError, match="image"):
        pool.detect(np.zeros((4, 4), np.uint8))
    assert len(pool.detect(drawn(1)[0])[0]) == 1


def test_a_pool_of_none_is_refused(model: Path) -> None:
    with pytest.raises(InputError, match="size"):
        DetectorPool(model, 0)
