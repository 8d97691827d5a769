"""Numbers stay with their objects: in motion, past each other, half hidden, and through gaps."""

import math
from functools import partial

import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy import Detections
from fusedet.deploy.detector.detections import NO_TRACK
from fusedet.deploy.tracking.tracker import Tracker, TrackerSettings
from tests.detections import detections_of

NAMES = ("person", "dog")
FPS = 10.0


seen = partial(detections_of, NAMES)


def at(x: float, y: float = 100.0, score: float = 0.9, label: int = 0) -> tuple[float, ...]:
    return (x, y, x + 40, y + 80, score, label)


def numbers(tracker: Tracker, *images: Detections) -> list[list[int]]:
    return [tracker.update(image).track_ids.tolist() for image in images]


def standing(x: float, images: int, settings: TrackerSettings | None = None) -> Tracker:
    """A tracker that has seen one object in so many images, always at one place."""
    tracker = Tracker(settings, FPS)
    numbers(tracker, *[seen(at(x))] * images)
    return tracker


def test_what_moves_keeps_its_number() -> None:
    images = [seen(at(10 + 8 * i), at(300 - 6 * i, 200)) for i in range(20)]

    assert numbers(Tracker(fps=FPS), *images) == [[1, 2]] * 20


def test_detections_come_back_with_their_numbers_and_nothing_else_changed() -> None:
    image = seen(at(10), at(300, score=0.3))
    found = Tracker().update(image)

    np.testing.assert_array_equal(found.boxes_xyxy, image.boxes_xyxy)
    np.testing.assert_array_equal(found.track_ids, [1, NO_TRACK])
    assert image.track_ids is None


def test_two_that_pass_each_other_do_not_change_numbers() -> None:
    images = [seen(at(10 + 8 * i, 100), at(330 - 8 * i, 130)) for i in range(40)]

    assert numbers(Tracker(fps=FPS), *images)[-1] == [1, 2]


def test_a_low_score_goes_on_a_track_but_begins_none() -> None:
    tracker = Tracker(fps=FPS)
    images = [seen(at(10)), seen(at(14)), seen(at(18, score=0.2), at(300, score=0.2)), seen(at(22))]

    assert numbers(tracker, *images) == [[1], [1], [1, NO_TRACK], [1]]


def test_a_score_below_the_lowest_is_not_looked_at() -> None:
    assert numbers(Tracker(fps=FPS), seen(at(10)), seen(at(10, score=0.05))) == [[1], [NO_TRACK]]


def test_a_new_object_gets_a_number_when_it_is_seen_again() -> None:
    tracker = Tracker(fps=FPS)

    found = numbers(tracker, seen(at(10)), seen(at(10), at(200)), seen(at(10), at(202)), seen(at(10), at(204)))

    assert found == [[1], [1, NO_TRACK], [1, 2], [1, 2]]


def test_something_seen_once_gets_no_number() -> None:
    tracker = Tracker(fps=FPS)
    ghost = numbers(tracker, seen(at(10)), seen(at(10), at(200)), seen(at(10)), seen(at(10), at(200)))

    assert ghost == [[1], [1, NO_TRACK], [1], [1, NO_TRACK]]


@pytest.mark.parametrize(("gap", "number"), [(5, 1), (14, 1), (19, 1), (24, 2)])
def test_a_track_bridges_a_gap_of_two_seconds(gap: int, number: int) -> None:
    way = [seen(at(10 + 4 * i)) for i in range(12 + gap)]

    assert numbers(Tracker(fps=FPS), *way[:10], *[seen()] * gap, *way[-2:])[-1] == [number]


def test_images_that_were_left_out_do_not_matter_when_time_is_given() -> None:
    every, some = Tracker(fps=FPS), Tracker(fps=FPS)
    for i in range(40):
        every.update(seen(at(10 + 12 * i)), i / FPS)
        if i < 10 or i % 3 == 0:  # 36 pixels at a stride: next to no overlap with where it was
            found = some.update(seen(at(10 + 12 * i)), i / FPS)

    assert found.track_ids.tolist() == [1]


def test_one_object_is_one_track_whatever_it_is_taken_for() -> None:
    tracker = Tracker(fps=FPS)
    images = [seen(at(10, label=label)) for label in (0, 0, 0, 1, 0, 1, 1, 0)]
    found = [tracker.update(image) for image in images]

    assert [one.track_ids.tolist() for one in found] == [[1]] * 8
    assert [one.class_ids.tolist() for one in found] == [[0]] * 8  # what it was seen as most


def test_an_object_is_what_it_was_seen_as_most() -> None:
    tracker = Tracker(fps=FPS)
    images = [seen(at(10, label=1, score=0.6)), *[seen(at(10))] * 2]

    assert [tracker.update(image).class_ids.tolist() for image in images] == [[1], [0], [0]]


def test_an_object_that_is_told_twice_as_two_classes_is_one_track() -> None:
    tracker = Tracker(fps=FPS)
    images = [seen(at(10), at(12, score=0.8, label=1)), *[seen(at(10, label=1), at(11, score=0.7))] * 3]

    assert numbers(tracker, *images) == [[1, NO_TRACK], *[[NO_TRACK, 1]] * 3]


def test_two_of_different_classes_that_pass_each_other_keep_their_numbers() -> None:
    tracker = Tracker(fps=FPS)
    for i in range(40):
        found = tracker.update(seen(at(10 + 8 * i, 100), at(330 - 8 * i, 105, label=1)))

    assert (found.track_ids.tolist(), found.class_ids.tolist()) == ([1, 2], [0, 1])


def test_classes_do_not_matter_where_they_are_told_not_to() -> None:
    images = [seen(at(10)), seen(at(30, label=1))]  # IoU 1/3

    assert numbers(Tracker(fps=FPS), *images) == [[1], [NO_TRACK]]
    assert numbers(Tracker(TrackerSettings(by_class=False), FPS), *images) == [[1], [1]]


def shaken(x: float, rng: np.random.Generator, share: float = 0.05) -> Detections:
    row = np.array(at(x))
    return seen((*(row[:4] + rng.normal(0, share, 4) * (40, 80, 40, 80)), *row[4:]))


@pytest.mark.parametrize("gap_s", [1.5, 5.0, 30.0, 59.0])
def test_what_stands_still_is_waited_for_at_its_place(gap_s: float) -> None:
    tracker, rng = Tracker(fps=FPS), np.random.default_rng(0)
    for _ in range(100):
        tracker.update(shaken(100, rng))
    for _ in range(round(10 * gap_s)):
        assert tracker.update(seen()).missing == {1}

    assert numbers(tracker, *[shaken(100, rng) for _ in range(3)]) == [[1]] * 3


def test_what_stood_still_ends_too_and_how_long_it_is_waited_for_can_be_set() -> None:
    for settings, gap in (
        (TrackerSettings(), 610),
        (TrackerSettings(still_s=4.0), 50),
        (TrackerSettings(still_s=0), 30),
    ):
        tracker = standing(100, 50, settings)
        missing = [tracker.update(seen()).missing for _ in range(gap)]
        assert missing[-1] == frozenset()
        assert numbers(tracker, seen(at(100)), seen(at(100)))[-1] == [2]


def test_what_moves_is_not_waited_for_longer() -> None:
    tracker = Tracker(fps=FPS)
    numbers(tracker, *[seen(at(10 + 4 * i)) for i in range(50)], *[seen()] * 24)

    assert tracker.update(seen()).missing == frozenset()


def test_what_passes_by_the_place_of_something_still_is_another_object() -> None:
    tracker = standing(200, 50)
    passing = numbers(tracker, *[seen()] * 30, *[seen(at(12 * i, 140)) for i in range(40)])

    assert passing[-1] == [2]
    assert numbers(tracker, seen(at(200)))[-1] == [1]


def test_something_still_goes_on_with_low_scores() -> None:
    images = [*[seen()] * 30, seen(at(201, score=0.15)), seen(at(200, score=0.3))]

    assert numbers(standing(200, 50), *images)[-2:] == [[1], [1]]


def test_each_detection_may_have_a_threshold_of_its_own() -> None:
    tracker = Tracker(fps=FPS)
    images = [seen(at(10, score=0.4), at(300, score=0.4, label=1))] * 3
    found = [tracker.update(image, None, np.array([0.3, 0.5], np.float32)) for image in images]

    assert [one.track_ids.tolist() for one in found] == [[1, NO_TRACK]] * 3


def test_empty_images() -> None:
    assert numbers(Tracker(), seen(), seen(), seen(at(10)), seen(at(10))) == [[], [], [NO_TRACK], [1]]


@pytest.mark.parametrize("time_s", [0.0, -5.0, 5.0 + 11.0, 1e9])
def test_tracks_begin_afresh_when_time_runs_backwards_or_leaps(time_s: float) -> None:
    tracker = Tracker(fps=FPS)
    assert tracker.update(seen(at(10)), 5.0).track_ids.tolist() == [1]  # type: ignore[union-attr]
    assert tracker.update(seen(at(10)), 5.0).track_ids.tolist() == [1]  # type: ignore[union-attr]
    for _ in range(2):
        assert tracker.update(seen(at(10)), time_s).track_ids.tolist() == [2]  # type: ignore[union-attr]
        time_s += 1 / FPS


@pytest.mark.parametrize("time_s", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_no_number_is_one_interval_later(time_s: float) -> None:
    tracker = Tracker(fps=FPS)
    for time in (5.0, time_s, 5.0 + 2 / FPS):
        assert tracker.update(seen(at(10)), time).track_ids.tolist() == [1]  # type: ignore[union-attr]


def test_an_image_every_minute_is_no_gap_for_a_stream_that_is_as_slow() -> None:
    tracker = Tracker(fps=1 / 60)
    for time_s in (0.0, 60.0, 120.0):
        assert tracker.update(seen(at(10)), time_s).track_ids.tolist() == [1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"match_iou": 1.2}, r"match_iou must be in 0\.\.1, but got 1\.2"),
        ({"low_score": 0.7}, r"must not fall in this order, but got 0\.7, 0\.5 and 0\.6"),
        ({"begin_score": 0.4}, r"must not fall in this order, but got 0\.1, 0\.5 and 0\.4"),
        ({"lost_s": -1.0}, r"lost_s must be 0 or more, but got -1\.0"),
        ({"still_s": float("nan")}, "still_s must be 0 or more, but got nan"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrackerSettings(**settings)
    with pytest.raises(InputError, match="fps must be above 0, but got 0"):
        Tracker(fps=0)


def test_a_crowd_in_which_some_are_missed_is_counted_rightly() -> None:
    """Twenty walk in lanes, each is missed in a tenth of the images, scores vary: twenty numbers, no more."""
    rng = np.random.default_rng(0)
    speeds = rng.uniform(-6, 6, 20)
    tracker = Tracker(fps=FPS)
    owners: dict[int, set[int]] = {}
    for i in range(100):
        there = [lane for lane in range(20) if i == 0 or rng.random() > 0.1]
        rows = [at(600 + speeds[lane] * i, 90.0 * lane, rng.uniform(0.62, 0.95)) for lane in there]
        shaken = [(*(np.array(row[:4]) + rng.normal(0, 1, 4)), *row[4:]) for row in rows]
        for lane, number in zip(there, tracker.update(seen(*shaken)).track_ids.tolist(), strict=True):
            owners.setdefault(number, set()).add(lane)

    assert sorted(owners) == list(range(1, 21))
    assert all(len(lanes) == 1 for lanes in owners.values())
