import pytest

from fusedet.deploy.bench.timing import summarise, time_in_turn


def test_percentiles_by_hand():
    """0 to 100 ms in steps of 1: each percentile is its own number, whatever the order."""
    stats = summarise([float(ms) for ms in reversed(range(101))])
    assert (stats.count, stats.min, stats.p50, stats.p95, stats.p99) == (101, 0, 50, 95, 99)
    assert stats.spread == pytest.approx(95 / 50 - 1)


def test_no_time_at_all_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        summarise([])


def test_calls_take_turns_and_the_warm_up_does_not_count():
    said, seconds = list[str](), iter(range(100))

    times = time_in_turn(
        {"one": lambda: said.append("one"), "two": lambda: said.append("two")},
        2,
        warm_up=1,
        clock=lambda: float(next(seconds)),
    )

    assert said == ["one", "two"] * 3
    assert times == {"one": [1000.0, 1000.0], "two": [1000.0, 1000.0]}
