"""``map`` on threads."""

import threading
import time
from collections.abc import Iterator

import pytest

from fusedet.common.parallel import map_ahead


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_map_ahead_keeps_the_order_and_stays_a_few_ahead(threads: int) -> None:
    started: list[int] = []

    def double(value: int) -> int:
        started.append(value)
        return 2 * value

    results = map_ahead(double, range(100), threads)
    assert next(results) == 0
    assert len(started) <= 2 * threads + 1
    assert list(results) == [2 * i for i in range(1, 100)]


def test_map_ahead_ends_its_threads_when_it_is_left() -> None:
    before = threading.active_count()
    results = map_ahead(str, range(100), 2)
    next(results)
    assert threading.active_count() > before
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_map_ahead_raises_what_the_function_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_ahead(lambda value: 1 // value, [1, 0, 1], 2))


def test_map_ahead_raises_what_the_items_raise_after_the_results_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    results = map_ahead(str, broken(), 2)
    assert next(results) == "1"
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)


def test_map_ahead_keeps_the_order_when_later_results_are_ready_first() -> None:
    def late_zero(value: int) -> int:
        time.sleep(0.2 if value == 0 else 0)
        return value

    assert list(map_ahead(late_zero, range(10), 3)) == list(range(10))


def test_map_ahead_takes_the_items_one_at_a_time() -> None:
    inside = threading.Lock()

    def items() -> Iterator[int]:
        for value in range(50):
            assert inside.acquire(blocking=False)
            time.sleep(0.001)
            inside.release()
            yield value

    assert list(map_ahead(str, items(), 4)) == [str(value) for value in range(50)]


def test_map_ahead_works_at_once_on_as_many_as_it_has_threads() -> None:
    together = threading.Barrier(3, timeout=10)
    assert list(map_ahead(lambda _: together.wait() >= 0, range(9), 3)) == [True] * 9
