"""Zones and lines in the image: where they are, and what is written there."""

import numpy as np
import pytest

from fusedet.deploy.camera.events.draw_zones import draw_zones
from fusedet.deploy.camera.events.places import Line, Places, Zone

ZONE = Zone("step", ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)))
LINE = Line("gate", (0.1, 0.5), (0.9, 0.5))
GREY = np.full((400, 600, 3), 90, np.uint8)


def changed(places: Places, **counts: dict[str, dict[str, int]]) -> np.ndarray:
    before = GREY.copy()
    canvas = draw_zones(GREY, places, counts)
    assert (before == GREY).all()
    assert canvas.shape == GREY.shape
    return (canvas != GREY).any(axis=2)


def test_a_zone_is_its_border_and_its_name() -> None:
    there = changed(Places(zones=(ZONE,)))

    assert there[100:300, 150].all()
    assert there[300, 150:450].all()
    assert not there[200:290, 200:400].any()
    assert not there[:95].any()


def test_an_arrow_says_where_in_is() -> None:
    there = changed(Places(lines=(LINE,)))
    back = changed(Places(lines=(Line("gate", LINE.end, LINE.start),)))

    assert there[200, 60:540].all()
    assert there[205:215, 300].all()
    assert not there[185:195, 300].any()
    assert back[185:195, 300].all()
    assert not back[205:215, 300].any()


@pytest.mark.parametrize(
    ("place", "few", "many"),
    [
        (ZONE, {"inside": {"cat": 1}, "enter": {}}, {"inside": {"cat": 1, "dog": 12344}, "enter": {}}),
        (LINE, {"in": {}, "out": {}}, {"in": {"cat": 123456}, "out": {}}),
    ],
)
def test_counts_are_written(place: Zone | Line, few: dict, many: dict) -> None:
    places = Places(zones=(place,)) if isinstance(place, Zone) else Places(lines=(place,))
    sizes = [int(changed(places, **counts).sum()) for counts in ({}, {place.name: few}, {place.name: many})]

    assert sizes[0] < sizes[1] < sizes[2]


def test_places_at_the_border_of_tiny_images() -> None:
    everywhere = Places((Zone("all", ((0, 0), (1, 0), (1, 1), (0, 1))),), (Line("edge", (1.0, 1.0), (1.0, 0.0)),))
    for size in ((1, 1), (8, 500), (500, 8)):
        assert draw_zones(np.zeros((*size, 3), np.uint8), everywhere).any()
    assert not changed(Places()).any()
