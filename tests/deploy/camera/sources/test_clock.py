"""Time that never runs backwards."""

import itertools
import math
import random

import pytest

from fusedet.deploy.camera.sources.clock import LONGEST_AWAY_S, FrameClock

NAN = math.nan


def times(*stamps: float, interval_s: float = 0.1) -> list[float]:
    clock = FrameClock(interval_s)
    return [clock.at(stamp) for stamp in stamps]


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ((1.4, 1.5, 1.7, 46.7), [0, 0.1, 0.3, 45.3]),  # what begins late, varies and pauses
        ((0, 0, 0, 0), [0, 0.1, 0.2, 0.3]),  # none at all
        ((0, 1, 1, 2), [0, 1, 1.1, 2]),  # one twice
        ((0, 1, 0.95, 1.2), [0, 1, 1.1, 1.2]),  # out of order
        ((5, 6, 0, 0.1, 0.3), [0, 1, 1.1, 1.2, 1.4]),  # begun anew
        ((95443.6, 95443.7, 0.0, 0.2), [0, 0.1, 0.2, 0.4]),  # 33 bits at 90 kHz are full
        ((0, 0.1, 1e9, 1e9 + 1, 0.2, 0.3), [0, 0.1, 0.2, 1.2, 1.3, 1.4]),  # a leap, and back
        ((NAN, NAN, 7, 7.5), [0, 0.1, 0.2, 0.7]),
        ((0, 1, NAN, math.inf, -math.inf, 1.5), [0, 1, 1.1, 1.2, 1.3, 1.5]),
    ],
)
def test_time_rises_whatever_the_stamps_do(stamps: tuple[float, ...], expected: list[float]) -> None:
    assert times(*stamps) == pytest.approx(expected)


def test_time_rises_with_stamps_at_random() -> None:
    chance = random.Random(0)
    kinds = (0.0, NAN, math.inf, -1e300, 1e300, 3e9, 1.0)
    found = times(*(chance.choice((*kinds, chance.uniform(-1e5, 1e5), chance.random())) for _ in range(5000)))
    assert all(later > earlier for earlier, later in itertools.pairwise(found))


def test_a_count_that_begins_again_goes_on_after_a_pause() -> None:
    clock = FrameClock(0.1)
    assert [clock.at(stamp) for stamp in (3.0, 5.0)] == [0, 2]
    clock.begin_again(360.0)
    assert [clock.at(stamp) for stamp in (0.0, 1.0)] == [362, 363]
    clock.begin_again(0.0)
    assert clock.at(1e6) == pytest.approx(363.1)


def test_the_stamps_of_a_clock_may_be_a_day_apart() -> None:
    clock = FrameClock(0.1, longest_gap_s=LONGEST_AWAY_S)
    assert [clock.at(stamp) for stamp in (1.0, 86401.0)] == [0, 86400]
