"""Sources that a test leads by the hand."""

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from fusedet.deploy.camera.sources import Frame, SourceHealth
from tests.deploy.conftest import Image


def moving_square(index: int, side: int = 64, size: int = 16) -> Image:
    """A red square that moves right, pixel by pixel, and starts again at the left."""
    image = np.zeros((side, side, 3), np.uint8)
    left = index % (side - size)
    image[20 : 20 + size, left : left + size] = (0, 0, 255)
    return image


class LedCamera:
    """Gives a frame each time :meth:`give` is called, and ends at :meth:`end`.

    Attributes:
        drops: as a camera does; False: as a file.
    """

    label = "led"
    live = True
    files: tuple[Path, ...] = ()
    unreadable = 0
    fps = 30.0

    def __init__(self, *, drops: bool = True) -> None:
        self.drops = drops
        self.health = SourceHealth(connected=True, reconnects=0, error=None)
        self.closed = threading.Event()
        self.hanging = threading.Event()
        self._due: SimpleQueue[bool] = SimpleQueue()

    def give(self, count: int = 1) -> None:
        for _ in range(count):
            self._due.put(True)

    def end(self) -> None:
        self._due.put(False)

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        while not self.closed.is_set():
            more = self._due.get()
            while self.hanging.is_set() and not self.closed.wait(0.01):
                pass
            if not more or self.closed.is_set():
                return
            yield Frame(moving_square(index), "led", "led", index, index / self.fps)
            index += 1

    def close(self) -> None:
        self.closed.set()
        self._due.put(False)
