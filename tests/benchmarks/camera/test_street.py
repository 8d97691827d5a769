"""The drawn street: its truth is right by itself, and a detector without fault is counted exactly."""

from collections import Counter

from benchmarks.camera.street import KINDS, compare, watch
from benchmarks.camera.street_scene import Flaws, Happening, Thing, happenings

FAULTLESS = Flaws(0, 0, 1e9, (0, 0), (0, 0), 0, 0, 0, 0)


def test_the_truth_of_a_thing() -> None:
    """Along the pavement to the right: through the line, then into the zone ``stop`` and out of it."""
    thing = Thing(0, (30, 90), (0.0, 64.0), ((0.0, 300.0), (640.0, 300.0)))

    assert [(one.what, round(one.time_s)) for one in happenings(thing)] == [
        ("line in", 32),
        ("stop enter", 40),
        ("stop leave", 52),
    ]


def test_what_is_told_is_compared_with_what_is_true() -> None:
    true = [Happening(10.0, "line in"), Happening(30.0, "line in"), Happening(31.0, "line out")]
    told = [Happening(9.0, "line in"), Happening(11.0, "line in"), Happening(32.0, "line out")]
    tallies = compare(true, told)

    assert (tallies["line in"].missed, tallies["line in"].extra) == (1, 1)
    assert (tallies["line out"].missed, tallies["line out"].extra) == (0, 0)
    assert set(tallies) == set(KINDS)


def test_a_lone_thing_is_counted_exactly_by_a_detector_without_fault() -> None:
    thing = Thing(0, (30, 90), (0.0, 64.0), ((0.0, 300.0), (640.0, 300.0)))
    told = watch([thing], 1.2, 5, FAULTLESS, 0, {})

    assert Counter(one.what for one in told["fusedet"]) == Counter(one.what for one in happenings(thing))
