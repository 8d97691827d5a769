"""What detectors of other projects have in common: a picture goes in as each of them wants it, detections come out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from torch import Tensor

from fusedet.deploy.detections import Detections
from fusedet.deploy.opencv import cv2
from fusedet.deploy.postprocess import nms
from fusedet.deploy.preprocess import check_image
from fusedet.train.teachers.coco_names import COCO_NAMES

__all__ = ["Candidates", "DenseMap", "ForeignDetector", "as_planes", "best_class", "inputs_of", "outputs_of", "stretch"]

#: Candidates that go into non-maximum suppression at most, the best.
MOST_CANDIDATES = 1000


class Candidates(NamedTuple):
    """Boxes before thresholds and suppression.

    Attributes:
        boxes_xyxy: float32 ``[N, 4]`` in pixels of the picture, perhaps reaching beyond it.
        scores: float32 ``[N]`` in 0..1.
        class_ids: int64 ``[N]``.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]


class DenseMap(NamedTuple):
    """What a detector sees at each point of one of its maps.

    Attributes:
        scores: float32 ``[B, C, h, w]`` in 0..1.
        boxes: float32 ``[B, 4, h, w]`` xyxy in parts of the picture's width and height.
    """

    scores: Tensor
    boxes: Tensor


class ForeignDetector(ABC):
    """A detector of another project in an ONNX file, behind the interface of ``fusedet.deploy.Detector``.

    A subclass knows one format: by what to recognise it, what the network wants and what its outputs mean.

    Attributes:
        format: what people call the format.
        names: class names; a class id is an index into them.
        nms_iou: overlap above which the worse of two boxes of a class goes; None where the network needs no NMS.

    Args:
        session: of a file that the subclass recognises.
        score_threshold: lowest score that counts.
        max_detections: at most so many for each picture, the best.
    """

    format: str
    names: tuple[str, ...] = COCO_NAMES
    nms_iou: float | None = None

    def __init__(self, session: ort.InferenceSession, score_threshold: float, max_detections: int) -> None:
        self._session, self._score_threshold, self._max_detections = session, score_threshold, max_detections

    @staticmethod
    @abstractmethod
    def recognises(session: ort.InferenceSession) -> bool:
        """Whether inputs, outputs and metadata are those of the format."""

    @abstractmethod
    def feed(self, image_bgr: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """The network's inputs for a picture, uint8 ``[H, W, 3]``."""

    @abstractmethod
    def read(self, outputs: Sequence[NDArray[Any]], size_hw: tuple[int, int]) -> Candidates:
        """What the network's outputs say of a picture of ``(height, width)``."""

    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections in each picture, in its own pixels, one picture after the other.

        Raises:
            ValueError: an image is not uint8 ``[H, W, 3]``.
        """
        return [self._detect(image) for image in images_bgr]

    def _detect(self, image_bgr: NDArray[np.uint8]) -> Detections:
        check_image(image_bgr)
        height, width = image_bgr.shape[:2]
        boxes, scores, class_ids = self.read(self._session.run(None, self.feed(image_bgr)), (height, width))
        chosen = np.flatnonzero((scores >= self._score_threshold) & np.isfinite(boxes).all(1))  # NaN >= x is False
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
        if self.nms_iou is not None:
            chosen = chosen[:MOST_CANDIDATES]
            chosen = chosen[nms(boxes[chosen], scores[chosen], class_ids[chosen], self.nms_iou)]
        boxes = boxes.clip(0, (width, height, width, height)).astype(np.float32)
        chosen = chosen[(boxes[chosen, 2:] > boxes[chosen, :2]).all(1)][: self._max_detections]
        return Detections(boxes[chosen], scores[chosen], class_ids[chosen], self.names)


def inputs_of(session: ort.InferenceSession) -> dict[str, list[Any]]:
    """Name -> shape of the graph's inputs; a side that is not fixed is text or None."""
    return {tensor.name: list(tensor.shape) for tensor in session.get_inputs()}


def outputs_of(session: ort.InferenceSession) -> dict[str, list[Any]]:
    """Name -> shape of the graph's outputs, in their order."""
    return {tensor.name: list(tensor.shape) for tensor in session.get_outputs()}


def stretch(
    image_bgr: NDArray[np.uint8], size_hw: tuple[int, int], interpolation: int = cv2.INTER_LINEAR
) -> NDArray[np.uint8]:
    """A picture resized to ``size_hw``, whatever its proportions."""
    return np.asarray(cv2.resize(image_bgr, size_hw[::-1], interpolation=interpolation), np.uint8)


def as_planes(
    canvas: NDArray[np.uint8], mean: Sequence[float] = (0, 0, 0), std: Sequence[float] = (1, 1, 1)
) -> NDArray[np.float32]:
    """``[H, W, 3]`` -> float32 ``[1, 3, H, W]``, less ``mean`` and over ``std`` of each channel, in the same order."""
    normal = (canvas.astype(np.float32) - np.array(mean, np.float32)) / np.array(std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None], np.float32)


def best_class(scores: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Highest score and its class of each row of ``[N, classes]``: ``[N]`` and ``[N]``."""
    class_ids = scores.argmax(1)
    return scores[np.arange(len(scores)), class_ids], class_ids.astype(np.int64)
