"""``map`` on several threads, for work that lets go of Python's lock: images, networks, files."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_ahead(
    function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int
) -> Generator[_Result, None, None]:
    """``map`` whose next results are prepared by threads, in order and only a few ahead of their use.

    The threads also take the items, one thread at a time: reading is part of the work. ``items`` may be without end.
    What ``items`` or ``function`` raises is raised where its result would have come, and ends the rest; ``close``
    ends it early. With 0 threads each result is computed when it is asked for.
    """
    if threads == 0:
        yield from map(function, items)
        return
    results = _Results(function, items, ahead=2 * threads)
    workers = [threading.Thread(target=results.work, name=f"map-ahead-{i}", daemon=True) for i in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield from results
    finally:
        results.stop(threads)
        for worker in workers:
            worker.join()


class _Results(Generic[_Item, _Result]):
    """What the threads compute, in the order of the items."""

    def __init__(self, function: Callable[[_Item], _Result], items: Iterable[_Item], ahead: int) -> None:
        self._function, self._items = function, iter(items)
        self._turn = threading.Lock()
        self._room = threading.Semaphore(ahead)
        self._stopped = False
        self._futures: SimpleQueue[Future[_Result] | None] = SimpleQueue()  # None: there are no more

    def __iter__(self) -> Iterator[_Result]:
        while (future := self._futures.get()) is not None:
            yield future.result()
            self._room.release()

    def work(self) -> None:
        """What each thread does: takes an item, computes, and waits while enough is ahead."""
        while self._room.acquire() and (taken := self._take()) is not None:
            item, future = taken
            try:
                future.set_result(self._function(item))
            except BaseException as error:  # whoever asks for the result shall have it
                future.set_exception(error)

    def stop(self, threads: int) -> None:
        """No thread takes another item."""
        self._stopped = True
        self._room.release(threads)

    def _take(self) -> "tuple[_Item, Future[_Result]] | None":
        """The next item, and where its result goes; None where there is nothing more to do."""
        future: Future[_Result] = Future()
        with self._turn:
            if self._stopped:
                return None
            try:
                item = next(self._items)
            except StopIteration:
                self._stopped = True
                self._futures.put(None)
                return None
            except BaseException as error:
                self._stopped = True
                future.set_exception(error)
                self._futures.put(future)
                return None
            self._futures.put(future)
        return item, future
