import time
from collections.abc import Iterator

from fusedet.train.loop.data_time import TimedLoading


def slow(count: int, seconds: float) -> Iterator[int]:
    for i in range(count):
        time.sleep(seconds)
        yield i


def test_only_the_waiting_counts() -> None:
    """Not what is done with an item."""
    batches, items = TimedLoading(slow(3, 0.02)), []
    start = time.perf_counter()
    for item in batches:
        items.append(item)
        time.sleep(0.05)
    assert items == [0, 1, 2]
    assert 0.06 <= batches.seconds <= time.perf_counter() - start - 0.15


def test_a_loop_may_be_left_early() -> None:
    batches = TimedLoading(slow(1000, 0.001))
    for item in batches:
        if item == 2:
            break
    assert batches.seconds > 0
