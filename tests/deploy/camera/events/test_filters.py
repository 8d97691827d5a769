"""What counts of a class: scores, sizes and masks; alone, together with those of every class, and in a camera."""

from functools import partial

import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.camera.events.filters import Filter, Filters
from fusedet.deploy.camera.events.places import Places, Zone
from fusedet.deploy.camera.pipeline.camera import Camera, CameraSettings
from fusedet.deploy.camera.pipeline.latest_frame_buffer import LatestFrameBuffer
from fusedet.deploy.camera.sources import Frame
from tests.deploy.camera.pipeline.cameras import LedCamera
from tests.detections import detections_of

NAMES = ("person", "car")
SIZE = (1000, 500)
IMAGE = np.zeros((500, 1000, 3), np.uint8)
LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


found = partial(detections_of, NAMES)


PERSON, CAR = (100, 100, 150, 200, 0.6, 0), (600, 100, 800, 200, 0.6, 1)  # 0.01 and 0.04 of the image


def kept(filters: Filters) -> list[str]:
    return filters.apply(found(PERSON, CAR), SIZE).labels


@pytest.mark.parametrize(
    ("by_class", "labels"),
    [
        ({}, ["person", "car"]),
        ({"person": Filter(min_area=0.02)}, ["car"]),
        ({"car": Filter(max_area=0.02)}, ["person"]),
        ({"person": Filter(min_area=0.009, max_area=0.011)}, ["person", "car"]),
        ({"all": Filter(min_area=0.02)}, ["car"]),
        ({"all": Filter(min_area=0.02), "person": Filter(min_area=0.005)}, ["person", "car"]),  # the class's own
        ({"all": Filter(masks=(LEFT_HALF,))}, ["car"]),
        ({"car": Filter(masks=(LEFT_HALF,))}, ["person", "car"]),
        ({"all": Filter(masks=(LEFT_HALF,)), "person": Filter(min_area=0.005)}, ["car"]),  # masks of both
        ({"car": Filter(masks=(((0.5, 0.0), (1.0, 0.0), (1.0, 0.3)),))}, ["person", "car"]),  # the feet are below it
        ({"car": Filter(masks=(((0.5, 0.3), (1.0, 0.3), (1.0, 1.0), (0.5, 1.0)),))}, ["person"]),
    ],
)
def test_what_counts(by_class: dict[str, Filter], labels: list[str]) -> None:
    assert kept(Filters(by_class)) == labels


def test_scores_of_classes() -> None:
    filters = Filters({"all": Filter(score=0.5), "car": Filter(score=0.2)})

    np.testing.assert_allclose(filters.thresholds(found(PERSON, CAR), 0.4), [0.5, 0.2])
    np.testing.assert_allclose(Filters({"car": Filter(score=0.7)}).thresholds(found(PERSON, CAR), 0.4), [0.4, 0.7])
    assert filters.lowest_score(0.4) == 0.2
    assert Filters({"car": Filter(score=0.7)}).lowest_score(0.4) == 0.4
    assert Filters().thresholds(found(), 0.4).shape == (0,)


def test_a_mask_that_is_no_polygon_is_refused() -> None:
    with pytest.raises(InputError, match=r"masks\.0: .* straight line"):
        Filter(masks=(((0, 0), (0.5, 0.5), (1, 1)),))


def test_a_camera_looks_only_at_what_counts() -> None:
    everywhere = Zone("zone", ((0, 0), (1, 0), (1, 1), (0, 1)))
    filters = Filters({"person": Filter(score=0.7), "car": Filter(score=0.2, masks=(LEFT_HALF,))})
    settings = CameraSettings("door", LedCamera, Places(zones=(everywhere,)), filters=filters)
    camera = Camera(settings, LatestFrameBuffer(["door"]), 0.5)
    masked, weak_car = (100, 300, 150, 400, 0.9, 1), (600, 100, 800, 200, 0.25, 1)
    events = []
    for index in range(5):
        image = found(PERSON, masked, weak_car)
        kept, some = camera.interpret(Frame(IMAGE, "0", "door", index, index / 10), image, 0.5)
        events += some

    assert kept.labels == ["car"]
    assert [(event.kind, event.label, round(event.score, 2)) for event in events] == [("enter", "car", 0.25)]
    assert camera.lowest_score(0.5) == 0.1
