"""Tells a camera that hangs and repeats its last image for ever."""

import numpy as np
from numpy.typing import NDArray

#: One row of so many is compared: cheap, and nothing that is seen, not even a clock drawn in, lies between two.
_ROWS = 4


class FrozenWatch:
    """Looks at every image. The noise of a sensor changes real ones, so only exactly equal ones count.

    ``frozen``: the image has been the same for longer than ``limit_s``, and still is; a limit of None is never reached.
    """

    def __init__(self, limit_s: float | None) -> None:
        self.frozen = False
        self._limit_s = limit_s
        self._last: NDArray[np.uint8] | None = None
        self._since_s = 0.0

    def look(self, image: NDArray[np.uint8], now_s: float) -> bool:
        """True when the image, here at ``now_s``, has been the same for too long, counted from the last True."""
        if self._limit_s is None:
            return False
        rows = image[::_ROWS]
        if self._last is None or not np.array_equal(rows, self._last):
            self._last = rows.copy()
            self._since_s = now_s
            self.frozen = False
            return False
        if now_s - self._since_s <= self._limit_s:
            return False
        self.frozen = True
        self._since_s = now_s
        return True
