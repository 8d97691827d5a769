"""Where a box is going to be: a Kalman filter with constant velocity."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Uncertainty of a position and of a speed, as parts of the box's height and for one interval (Wojke et al., "Simple
#: online and realtime tracking with a deep association metric", 2017, and the code published with it).
_POSITION, _SPEED = 1 / 20, 1 / 160
#: The same of the ratio of width to height, which hardly changes.
_RATIO, _RATIO_SPEED = 1e-2, 1e-5
_SEEN_RATIO = 1e-1


class Motion:
    """A box in motion: centre x and y, ratio width / height, and height, each with its speed per interval.

    ``mean`` ``[8]`` holds the four, then their speeds; ``covariance`` is ``[8, 8]``. It starts at rest.
    """

    def __init__(self, box_xyxy: ArrayLike) -> None:
        measured = _to_state(box_xyxy)
        height = measured[3]
        self.mean = np.concatenate((measured, np.zeros(4)))
        position, speed = 2 * _POSITION * height, 10 * _SPEED * height
        deviations = [position, position, _RATIO, position, speed, speed, _RATIO_SPEED, speed]
        self.covariance = np.diag(np.square(deviations))

    @property
    def box(self) -> NDArray[np.float64]:
        """xyxy ``[4]``."""
        x, y, ratio, height = self.mean[:4]
        half = np.array([max(ratio * height, 0.0), max(height, 0.0)]) / 2
        centre = np.array([x, y])
        return np.concatenate((centre - half, centre + half))

    def predict(self, steps: float) -> None:
        """Moves on by so many intervals; a part of one counts as that part."""
        if steps <= 0:
            return
        move = np.eye(8)
        move[:4, 4:] = steps * np.eye(4)
        height = self.mean[3]
        position, speed = _POSITION * height, _SPEED * height
        deviations = [position, position, _RATIO, position, speed, speed, _RATIO_SPEED, speed]
        self.mean = move @ self.mean
        self.covariance = move @ self.covariance @ move.T + steps * np.diag(np.square(deviations))

    def correct(self, box_xyxy: ArrayLike) -> None:
        """Takes in where the box was seen."""
        measured = _to_state(box_xyxy)
        deviation = _POSITION * self.mean[3]
        noise = np.diag(np.square([deviation, deviation, _SEEN_RATIO, deviation]))
        spread = self.covariance[:4, :4] + noise
        gain = np.linalg.solve(spread, self.covariance[:4]).T  # [8, 4]
        self.mean = self.mean + gain @ (measured - self.mean[:4])
        self.covariance = self.covariance - gain @ spread @ gain.T


def _to_state(box_xyxy: ArrayLike) -> NDArray[np.float64]:
    """xyxy -> centre x, centre y, width / height, height, the last at least a thousandth of a pixel."""
    left, top, right, bottom = np.asarray(box_xyxy, np.float64)
    height = max(bottom - top, 1e-3)
    return np.array([(left + right) / 2, (top + bottom) / 2, (right - left) / height, height])
