"""What everything that finds objects in images has in common."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.detections import Detections


class Predictor(Protocol):
    """Anything that finds objects in images: a network in torch, an exported file, several detectors together."""

    @property
    def names(self) -> tuple[str, ...]:
        """Class names; a class id is an index into them."""
        ...

    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections in each image, in its own pixels."""
        ...
