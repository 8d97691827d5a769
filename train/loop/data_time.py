"""Data-loading time: how long a training waits for its batches, while the devices have nothing to do."""

import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

_T = TypeVar("_T")


class TimedLoading(Generic[_T]):
    """Iterates over items and measures the time until each is there, in ``seconds``."""

    def __init__(self, items: Iterable[_T]) -> None:
        self._items = items
        self.seconds = 0.0

    def __iter__(self) -> Iterator[_T]:
        items = iter(self._items)
        while True:
            start = time.perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                self.seconds += time.perf_counter() - start
            yield item
