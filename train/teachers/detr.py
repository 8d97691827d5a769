"""DEIMv2, and its relatives RT-DETR, D-FINE and DEIM, as their own exporters write them.

Two inputs: ``images``, the picture stretched to the input (bilinear), RGB in 0..1; ``orig_target_sizes``, its width and
height. Three outputs, decoded and in pixels of the picture: ``labels``, ``boxes`` (xyxy) and ``scores``. No suppression
is due.

The small DEIMv2 (Atto to N) want nothing more; those with a DINOv3 backbone (S to X) would want normalised pixels, and
are told from these by nothing in the file.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fusedet.train.teachers.foreign import (
    Candidates,
    ForeignDetector,
    as_planes,
    inputs_of,
    outputs_of,
    stretch,
)

__all__ = ["Detr"]

_INPUTS, _OUTPUTS = ("images", "orig_target_sizes"), ("labels", "boxes", "scores")


class Detr(ForeignDetector):
    """See the head of this file."""

    format = "DEIMv2 (or RT-DETR, D-FINE, DEIM)"

    @staticmethod
    def recognises(session: ort.InferenceSession) -> bool:
        """By the names of inputs and outputs, and a fixed input size."""
        inputs = inputs_of(session)
        if set(inputs) != set(_INPUTS) or set(outputs_of(session)) != set(_OUTPUTS):
            return False
        return all(isinstance(side, int) for side in inputs["images"][2:])

    def feed(self, image_bgr: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """The stretched picture and its true size."""
        height, width = inputs_of(self._session)["images"][2:]
        canvas = stretch(image_bgr, (height, width))[..., ::-1]
        size = np.array([[image_bgr.shape[1], image_bgr.shape[0]]], np.int64)
        return {"images": as_planes(canvas, std=(255, 255, 255)), "orig_target_sizes": size}

    def read(self, outputs: Sequence[NDArray[Any]], size_hw: tuple[int, int]) -> Candidates:
        """They are what is wanted already."""
        by_name = dict(zip(outputs_of(self._session), outputs, strict=True))
        labels, boxes, scores = (by_name[name][0] for name in _OUTPUTS)
        return Candidates(boxes.astype(np.float32), scores.astype(np.float32), labels.astype(np.int64))
