"""PicoDet (Yu et al., 2021), exported by Paddle2ONNX without its suppression.

One input, the image stretched to it (bicubic), RGB, normalised as ImageNet's are. Outputs for the strides 8, 16, 32 and
64: see :mod:`fusedet.deploy.detector.formats.distributions`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.formats.base import Stretch, as_planes, stretch
from fusedet.deploy.detector.formats.distributions import DistributionFormat
from fusedet.deploy.detector.opencv import cv2

_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # RGB


class PicoDet(DistributionFormat):
    """See the head of this file."""

    title = "PicoDet"
    marks = "[1, 3, H, W] -> 4 x [1, points, classes], 4 x [1, points, 32]"
    takes = "float32 RGB, normalised, stretched to the input"
    strides = (8, 16, 32, 64)

    def prepare(self, image_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Stretch]:
        """The stretched image."""
        return stretch(image_bgr, self.contract.input_size, cv2.INTER_CUBIC)

    def feed(self, canvases: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
        """Normalised."""
        return {self._input: as_planes([canvas[..., ::-1] for canvas in canvases], _MEAN, _STD)}  # BGR -> RGB
