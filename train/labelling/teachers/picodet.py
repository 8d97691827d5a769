"""PicoDet as a guide: what it sees at each point of each of its maps."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusedet.deploy.detector.detector import Detector
from fusedet.deploy.detector.formats import PicoDet as PicoDetFormat

__all__ = ["DenseMap", "PicoDet"]


class DenseMap(NamedTuple):
    """What a detector sees at each point of one of its maps.

    Attributes:
        scores: float32 ``[B, C, h, w]`` in 0..1.
        boxes: float32 ``[B, 4, h, w]`` xyxy in parts of the picture's width and height.
    """

    scores: Tensor
    boxes: Tensor


class PicoDet(Detector):
    """A file of that format, see :mod:`fusedet.deploy.detector.formats.picodet`."""

    format: PicoDetFormat

    def dense(self, images_bgr: NDArray[np.uint8]) -> list[DenseMap]:
        """What it sees at each point of each map, the finest first, in pictures ``[B, H, W, 3]``."""
        found = []
        for image in images_bgr:
            canvas, _ = self.format.prepare(image)
            outputs = self._session.run(self.format.output_names, self.format.feed([canvas]))
            found.append(self.format.levels([output[0] for output in outputs]))
        side = self.input_size[0]
        maps = []
        for level in zip(*found, strict=True):
            cells = level[0][0]
            scores, boxes = (torch.from_numpy(np.stack(arrays)) for arrays in list(zip(*level, strict=True))[1:])
            maps.append(DenseMap(*(x.transpose(1, 2).unflatten(2, (cells, cells)) for x in (scores, boxes / side))))
        return maps
