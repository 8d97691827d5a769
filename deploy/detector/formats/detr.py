"""DEIMv2, and its relatives RT-DETR, D-FINE and DEIM, as their own exporters write them.

Two inputs: ``images``, the image stretched to the input (bilinear), RGB in 0..1; ``orig_target_sizes``, the width and
height of the image in whose pixels boxes are wanted. Three outputs, decoded: ``labels``, ``boxes`` (xyxy) and
``scores``. No suppression is due.

The small DEIMv2 (Atto to N) want nothing more; those with a DINOv3 backbone (S to X) would want normalised pixels, and
are told from these by nothing in the file.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.formats.base import (
    Candidates,
    PlanesFormat,
    fixed_sides,
    foreign_contract,
    inputs_of,
    outputs_of,
)
from fusedet.deploy.detector.formats.coco_names import COCO_NAMES
from fusedet.deploy.detector.opencv import cv2
from fusedet.deploy.detector.runtimes.protocol import Session

_INPUTS, _OUTPUTS = ("images", "orig_target_sizes"), ("labels", "boxes", "scores")


class Detr(PlanesFormat):
    """See the head of this file."""

    title = "DEIMv2, RT-DETR, D-FINE, DEIM"
    marks = f"{' and '.join(_INPUTS)} -> {', '.join(_OUTPUTS)}"
    takes = "float32 RGB in 0..1, stretched to the input"
    rgb = True
    std = (255, 255, 255)
    interpolation = cv2.INTER_LINEAR

    def __init__(self, session: Session, source: str) -> None:
        _, _, height, width = inputs_of(session)["images"]
        self.contract = foreign_contract(COCO_NAMES, (height, width))
        self.output_names = _OUTPUTS
        self._input = "images"

    @staticmethod
    def recognises(session: Session) -> bool:
        """By the names of inputs and outputs, and a fixed input size."""
        inputs = inputs_of(session)
        if set(inputs) != set(_INPUTS) or set(outputs_of(session)) != set(_OUTPUTS):
            return False
        return fixed_sides(inputs["images"]) is not None

    def feed(self, canvases: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
        """Boxes are wanted in pixels of the input."""
        sizes = np.array([self.contract.input_size[::-1]] * len(canvases), np.int64)
        return {**super().feed(canvases), "orig_target_sizes": sizes}

    def read(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """They are what is wanted already."""
        labels, boxes, scores = outputs
        return Candidates(boxes.astype(np.float32), scores.astype(np.float32), labels.astype(np.int64))
