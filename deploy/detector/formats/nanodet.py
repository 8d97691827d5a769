"""NanoDet, the first version (NanoDet-m), as its own exporter writes it.

One input, the image in proportion and centred in black padding, BGR, normalised as ImageNet's are. Outputs for the
strides 8, 16 and 32: see :mod:`fusedet.deploy.detector.formats.distributions`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.formats.base import as_planes
from fusedet.deploy.detector.formats.distributions import DistributionFormat
from fusedet.deploy.detector.runtimes.protocol import Session

_MEAN, _STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)  # BGR


class NanoDet(DistributionFormat):
    """See the head of this file."""

    title = "NanoDet"
    marks = "[1, 3, H, W] -> 3 x [1, points, classes], 3 x [1, points, 32]"
    takes = "float32 BGR, normalised, in proportion, centred in black"
    strides = (8, 16, 32)

    def __init__(self, session: Session, source: str) -> None:
        super().__init__(session, source)
        self.contract = replace(self.contract, pad_value=0)

    def feed(self, canvases: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
        """Normalised."""
        return {self._input: as_planes(canvases, _MEAN, _STD)}
