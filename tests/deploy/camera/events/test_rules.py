"""Zones and lines: what is told, what is not, and that the books always balance."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.events.places import Line, Places, Point, Zone
from fusedet.deploy.camera.events.rules import Rules
from fusedet.deploy.camera.sources import Frame
from fusedet.deploy.detector.detections import NO_TRACK, Detections
from tests.detections import detections_of

NAMES = ("person", "dog")
WIDTH, HEIGHT = 1000, 1000
#: Boxes are 100 high and the image 1000: 0.1 of the one and 0.005 of the other.
MARGIN = 15
#: The middle of the image, 400..600 in both directions.
ZONE = Zone("zone", ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6)))
#: From (300, 500) to (700, 500): ``in`` is downwards.
LINE = Line("line", (0.3, 0.5), (0.7, 0.5))
IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def seen(objects: dict[int, Point], label: str = "person", score: float = 0.75) -> Detections:
    """Boxes of 40 x 100 pixels."""
    rows = [(x - 20, y - 100, x + 20, y, score, NAMES.index(label)) for x, y in objects.values()]
    return replace(detections_of(NAMES, *rows), track_ids=np.array(list(objects), np.int64))


class Scene:
    """Feeds the rules an image every tenth of a second."""

    def __init__(self, *places: Zone | Line, grace_s: float = 2.0) -> None:
        self.rules = Rules("door", placed(*places), grace_s)
        self.index = 0

    def see(self, objects: dict[int, Point], label: str = "person", score: float = 0.75) -> list[Event]:
        """An image of objects: number -> its feet in pixels; a score of 0.25 and more is a high one."""
        found = seen(objects, label, score)
        frame = Frame(IMAGE, "0", "door", self.index, self.index / 10, taken_at=1e9 + self.index / 10)
        self.index += 1
        return list(self.rules.update(found, frame, found.scores >= 0.25))

    def walk(self, way: Iterable[Point | None], label: str = "person") -> list[str]:
        """What object 1 does on its way, shortly; None: it is not found in that image."""
        events = [self.see({} if point is None else {1: point}, label) for point in way]
        return [f"{event.kind} {event.direction or ''}".strip() for some in events for event in some]


def placed(*places: Zone | Line) -> Places:
    zones = tuple(place for place in places if isinstance(place, Zone))
    return Places(zones, tuple(place for place in places if isinstance(place, Line)))


def down(x: float, *ys: float | None) -> list[Point | None]:
    return [None if y is None else (x, y) for y in ys]


@pytest.mark.parametrize(
    ("way", "told"),
    [
        (down(500, 300, 450, 700), ["enter", "leave"]),
        (down(500, 300, 399), []),
        (down(500, 500), ["enter"]),  # it is there already when it is first seen
        (down(500, 300, 700), []),  # it was never seen inside
        (down(500, 450, 399, 401, 395, 405, 385.5, 410), ["enter"]),  # trembles on the border
        (down(500, 450, 384, 384), ["enter"]),  # two images are not enough
        (down(500, 450, 384, 384, 384), ["enter", "leave"]),
        (down(500, 450, 384, None, 384, None, 384), ["enter", "leave"]),  # those in which it is not seen do not count
        (down(500, 450, 384, 384, 410, 384, 384, 410), ["enter"]),
        (down(500, 450, 350), ["enter", "leave"]),  # half a box is
        (down(500, 350, 410, 410), []),
        (down(500, 350, 410, 410, 410), ["enter"]),
        (down(500, 410, 410, 410), ["enter"]),  # seen first, just inside
        (down(500, 450, 384, 384, 384, 399, 395, 401, 399), ["enter", "leave"]),
        ([(500, 500), None, None, (500, 510), (500, 700)], ["enter", "leave"]),  # lost and found
        ([(500, 500), *[None] * 20], ["enter"]),
        ([(500, 500), *[None] * 21], ["enter", "leave"]),  # gone for more than 2 s
        ([(500, 500), *[None] * 21, (500, 500)], ["enter", "leave", "enter"]),
    ],
)
def test_zones(way: list[Point | None], told: list[str]) -> None:
    assert Scene(ZONE).walk(way) == told


@pytest.mark.parametrize(
    ("way", "told"),
    [
        (down(500, 400, 450, 490, 510, 600), ["cross in"]),
        (down(500, 600, 510, 490, 400), ["cross out"]),
        (down(500, 400, 450, 490), []),
        (down(500, 100, 900), ["cross in"]),  # jumps over it between two images
        ([(500, 400), None, None, None, (500, 600)], ["cross in"]),  # is lost just there
        (down(500, 400, 501, 499, 502, 497, 503, 495, 400), []),  # trembles on it and goes back
        (down(500, 400, 501, 499, 502, 497, 503, 520, 520, 520), ["cross in"]),  # trembles on it and goes on
        (down(500, 400, *[520, 480] * 150), []),  # trembles much
        (down(500, 400, *[480, 480, 520] * 50), []),  # is beyond in one image, again and again
        (down(500, 400, *[480, 520, 520] * 50), []),
        (down(500, 400, 520, None, 520, None, None, 520), ["cross in"]),
        (down(500, 400, 520, 510, 520, 520), []),  # in a row
        (down(500, 400, *[514] * 20), []),  # stands just beyond it
        (down(500, 400, 514, 516, 516, 516), ["cross in"]),
        (down(500, 400, 600, 400, 600), ["cross in", "cross out", "cross in"]),
        (down(200, 400, 600), []),  # passes beside it
        ([(500, 400), (200, 450), (200, 600), (500, 600)], []),  # around its end
        ([(500, 400), (200, 450), (200, 600), (500, 600), (500, 400)], ["cross out"]),  # and back through it
        ([(310, 497), (310, 495), (295, 502), (310, 495)], []),  # trembles at its end
        (down(500, 500, 500, 500), []),
        (down(500, 501, 499, 600, 600), []),  # was first seen on it: nobody knows where it came from
    ],
)
def test_lines(way: list[Point | None], told: list[str]) -> None:
    assert Scene(LINE).walk(way) == told


def test_a_line_near_the_images_border_can_be_crossed_by_what_is_cut_off_there() -> None:
    low = Line("low", (0.0, 0.995), (1.0, 0.995))

    assert Scene(low).walk(down(500, 900, 980, 1000)) == ["cross in"]
    assert Scene(low).walk(down(500, 900, 980, 1400)) == ["cross in"]  # a box that was not clipped


def test_a_zone_down_to_the_images_border_holds_what_is_cut_off_there() -> None:
    near = Zone("near", ((0.1, 0.6), (0.9, 0.6), (0.9, 0.999), (0.1, 1.0)))

    assert Scene(near).walk(down(500, 1000, 1000, 1400, 1000, 540)) == ["enter", "leave"]


def test_dwelling_is_told_once_a_stay() -> None:
    scene = Scene(Zone("zone", ZONE.points, dwell_s=1.0))

    assert scene.walk(down(500, *[500] * 10)) == ["enter"]
    assert scene.walk(down(500, *[500] * 10)) == ["dwell"]
    assert scene.walk(down(500, 300, *[500] * 11)) == ["leave", "enter", "dwell"]
    assert scene.rules.counts()["zone"]["dwell"] == {"person": 2}


def test_an_event_says_everything() -> None:
    scene = Scene(ZONE)
    scene.walk(down(500, 300, 500, 500))
    [event] = scene.see({1: (500, 700)})

    assert len(event.id) == 32
    assert event.to_record() == {
        "id": event.id,
        "kind": "leave",
        "camera": "door",
        "place": "zone",
        "track": 1,
        "label": "person",
        "score": 0.75,
        "box_xyxy": [480.0, 600.0, 520.0, 700.0],
        "direction": None,
        "inside_s": 0.2,
        "frame": 3,
        "time": 1000000000.3,
    }


def test_what_is_gone_leaves_from_where_it_was_last_seen() -> None:
    scene = Scene(ZONE)
    scene.walk(down(500, 300, 500, 550))
    events = [event for _ in range(30) for event in scene.see({})]

    assert [(event.kind, event.box_xyxy[3], event.inside_s) for event in events] == [("leave", 550, pytest.approx(0.1))]
    assert events[0].frame == 23  # two seconds after it was last seen, and one image


def test_classes() -> None:
    zone, line = Zone("zone", ZONE.points, frozenset({"dog"})), Line("line", LINE.start, LINE.end, frozenset({"dog"}))

    assert Scene(zone, line).walk(down(500, 300, 450, 550, 700)) == []
    assert Scene(zone, line).walk(down(500, 300, 450, 550, 700), "dog") == ["enter", "cross in", "leave"]


def test_an_object_leaves_as_what_it_came_in() -> None:
    scene = Scene(Zone("zone", ZONE.points, frozenset({"person"})))
    scene.see({1: (500, 500)})
    [event] = scene.see({1: (500, 700)}, "dog")

    assert (event.kind, event.label) == ("leave", "person")
    assert scene.rules.counts()["zone"] == {
        "inside": {},
        "enter": {"person": 1},
        "leave": {"person": 1},
        "dwell": {},
    }


def test_what_has_no_number_is_not_looked_at() -> None:
    scene = Scene(ZONE)

    assert scene.see({NO_TRACK: (500, 500)}) == []
    with pytest.raises(ValueError, match="zones and lines need tracks"):
        scene.rules.update(Detections.empty(NAMES), Frame(IMAGE, "0", "door", 0, 0.0))


def test_counts() -> None:
    scene = Scene(ZONE, LINE)
    for y in (300, 450, 550):
        scene.see({1: (450, y), 2: (550, y + 5)})
    scene.see({1: (450, 700), 2: (550, 560)})

    assert scene.rules.counts() == {
        "zone": {"inside": {"person": 1}, "enter": {"person": 2}, "leave": {"person": 1}, "dwell": {}},
        "line": {"in": {"person": 2}, "out": {}},
    }


def test_places_change_and_what_is_the_same_is_not_told_again() -> None:
    scene = Scene(ZONE, LINE)
    scene.walk(down(500, 300, 450))
    other = Zone("other", ZONE.points)
    scene.rules.set_places(placed(ZONE, other, LINE))

    events = scene.see({1: (500, 550)})
    assert [(one.kind, one.place) for one in events] == [("enter", "other"), ("cross", "line")]
    scene.rules.set_places(placed(Zone("zone", ZONE.points, dwell_s=60)))
    assert scene.rules.counts()["zone"]["enter"] == {}
    assert scene.walk(down(500, 550)) == ["enter"]
    assert scene.rules.places == placed(Zone("zone", ZONE.points, dwell_s=60))


def test_an_image_of_another_size_is_the_same_place() -> None:
    scene = Scene(ZONE, LINE)
    scene.walk(down(500, 300, 450))
    events = scene.rules.update(seen({1: (250, 310)}), Frame(np.zeros((500, 500, 3), np.uint8), "0", "door", 9, 9.0))

    assert [event.kind for event in events] == ["cross"]


def test_a_video_that_begins_again() -> None:
    scene = Scene(ZONE)
    scene.walk(down(500, 500, 500))
    scene.index = 0

    assert scene.walk([*down(500, 500, 500), *[None] * 21]) == ["leave"]


def test_what_ended_is_forgotten() -> None:
    scene = Scene(ZONE, LINE, grace_s=0.5)
    for track in range(1000):
        scene.see({track: (500, 450)})

    assert len(scene.rules._objects) <= 6
    assert scene.rules.counts()["zone"]["inside"]["person"] <= 6


def test_ids_differ_between_runs() -> None:
    ids = {Scene(ZONE).see({1: (500, 500)})[0].id for _ in range(50)}

    assert len(ids) == 50


#: Where objects are from image to image, all over the image, or not found (None).
WALKS = st.lists(st.none() | st.tuples(st.integers(200, 800), st.integers(200, 800)), max_size=40)


@settings(max_examples=150, deadline=None)
@given(st.lists(WALKS, min_size=1, max_size=4))
def test_who_entered_and_did_not_leave_is_inside(walks: list[list[Point | None]]) -> None:
    scene = Scene(ZONE, grace_s=0.25)
    told: Counter[str] = Counter()
    for step in range(max(map(len, walks))):
        there = {number: walk[step] for number, walk in enumerate(walks) if step < len(walk)}
        events = scene.see({number: point for number, point in there.items() if point is not None})
        told.update(event.kind for event in events)
        counts = scene.rules.counts()["zone"]
        assert told["enter"] - told["leave"] == sum(counts["inside"].values())
        assert (told["enter"], told["leave"]) == (sum(counts["enter"].values()), sum(counts["leave"].values()))
    told.update(event.kind for _ in range(4) for event in scene.see({}))
    assert told["enter"] == told["leave"]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from((100, 300, 480, 520, 900)),
    st.lists(st.none() | st.tuples(st.integers(0, 1000), st.integers(485, 515)), max_size=40),
    st.sampled_from((100, 480, 520, 900)),
)
def test_in_less_out_is_the_change_of_side(start: int, walk: list[Point | None], end: int) -> None:
    """For a line through the whole image, whatever happens in its margin."""
    told = Scene(Line("line", (0.0, 0.5), (1.0, 0.5))).walk([(500, start), *walk, *[(500, end)] * 3])

    assert told.count("cross in") - told.count("cross out") == (end > 500) - (start > 500)
    assert all(first != second for first, second in pairwise(told))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(310, 690), st.integers(-MARGIN + 1, MARGIN - 1)), max_size=60))
def test_trembling_within_the_margin_is_never_told(walk: list[tuple[int, int]]) -> None:
    assert Scene(LINE).walk([(500, 450), *[(x, 500 + y) for x, y in walk], (500, 450)]) == []
    border = [(min(max(x, 400), 600), 400 - max(0, y)) for x, y in walk]
    assert Scene(ZONE).walk([(500, 450), *border, (500, 450)]) == ["enter"]


def test_how_surely_an_object_must_be_beyond_can_be_set() -> None:
    way = down(500, 400, 502, 498, 530, 400)

    assert Scene(Line("line", LINE.start, LINE.end, min_frames=1, margin=0.0)).walk(way) == ["cross in", "cross out"]
    assert Scene(Line("line", LINE.start, LINE.end, min_frames=4)).walk(down(500, 400, *[530] * 3)) == []
    assert Scene(Line("line", LINE.start, LINE.end, margin=0.5)).walk(down(500, 400, *[540] * 9)) == []
    assert Scene(Zone("zone", ZONE.points, min_frames=1)).walk(down(500, 350, 401)) == ["enter"]
    assert Scene(Zone("zone", ZONE.points, margin=0.4)).walk(down(500, 450, *[360] * 9)) == ["enter"]


def test_beyond_is_measured_across_the_line() -> None:
    """Boxes are 40 wide: a line that stands upright asks for less."""
    upright = Line("line", (0.5, 1.0), (0.5, 0.0))

    assert Scene(upright).walk([(400, 500), *[(512, 500)] * 3]) == ["cross in"]
    assert Scene(upright).walk([(400, 500), (521, 500)]) == ["cross in"]


def test_nothing_begins_with_a_score_below_the_threshold() -> None:
    scene = Scene(ZONE, LINE)
    steps = [(300, 0.8), *[(350, 0.14)] * 12, *[(560, 0.14)] * 30, (560, 0.3)]
    told = [event for y, score in steps for event in scene.see({1: (500, y)}, score=score)]

    assert [(event.kind, event.frame) for event in told] == [("enter", 43), ("cross", 43)]
    assert all(event.score == pytest.approx(0.3) for event in told)


def test_an_object_that_scored_high_just_before_still_counts_and_the_event_has_that_score() -> None:
    scene = Scene(ZONE, LINE)
    steps = [(380, 0.8), (420, 0.14), (460, 0.14), (520, 0.14), (560, 0.14), (700, 0.14)]
    told = [event for y, score in steps for event in scene.see({1: (500, y)}, score=score)]

    assert [event.kind for event in told] == ["enter", "cross", "leave"]
    assert all(event.score == pytest.approx(0.8) for event in told)


def test_an_object_whose_track_goes_on_unseen_has_not_left() -> None:
    scene = Scene(ZONE, grace_s=0.0)
    scene.walk(down(500, 500, 500))
    frames = [Frame(IMAGE, "0", "door", index, index / 10) for index in range(2, 100)]

    for frame in frames[:-1]:
        assert scene.rules.update(replace(seen({}), missing=frozenset({1})), frame) == ()
    assert [event.kind for event in scene.rules.update(seen({}), frames[-1])] == ["leave"]
