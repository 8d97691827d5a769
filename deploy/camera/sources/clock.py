"""Time that never runs backwards, whatever the stamps of a video or a camera do."""

import math

#: A stamp that is later by more is not believed: counters wrap, and broken files hold any number.
LONGEST_GAP_S = 3600.0
#: The same of a camera, whose frames are stamped by the clock of this machine.
LONGEST_AWAY_S = 366 * 86400.0
#: A stamp that is earlier by less is out of order, one that is earlier by more begins a new count.
_OUT_OF_ORDER_S = 1.0


class FrameClock:
    """Gives each frame a time after that of the frame before it.

    It follows the stamps while they rise, over gaps of up to an hour. Where a stamp does not rise, is no number or
    leaps, time goes on by one interval, and the stamps after a leap are counted from there. ``now_s`` is the time of
    the newest frame, in seconds since the first one; 0 before it.
    """

    def __init__(self, interval_s: float, *, longest_gap_s: float = LONGEST_GAP_S) -> None:
        """``interval_s``, above 0, is what a frame takes whose stamp tells nothing; a longer gap than the longest is a
        leap.
        """
        self.now_s = 0.0
        self._longest_gap_s = longest_gap_s
        self._interval_s = interval_s
        self._offset_s: float | None = None  # what a stamp has to gain to be a time
        self._next_s = 0.0

    def at(self, stamp_s: float) -> float:
        """The time of the next frame, which its source stamps ``stamp_s``: any number, also none (NaN)."""
        if self._offset_s is None:
            time_s = self._next_s
            self._offset_s = time_s - stamp_s if math.isfinite(stamp_s) else None
        else:
            time_s = self._offset_s + stamp_s
            step_s = time_s - self.now_s
            if not 0 < step_s <= self._longest_gap_s:
                time_s = self.now_s + self._interval_s
                if math.isfinite(stamp_s) and abs(step_s) > _OUT_OF_ORDER_S:
                    self._offset_s = time_s - stamp_s
        self.now_s = time_s
        self._next_s = time_s + self._interval_s
        return time_s

    def begin_again(self, pause_s: float) -> None:
        """The next stamp is the first of a new count, ``pause_s`` (0 or more) after the newest frame."""
        self._offset_s = None
        self._next_s = self.now_s + (pause_s if pause_s > 0 else self._interval_s)
