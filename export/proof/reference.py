"""The trained network as training knows it: what an exported file is held against.

The runtime, the exported graph and training's own evaluation share code: a fault there shows in no comparison.
Here nothing is folded, no class of any point is left out before its score is known, and a few lines of arithmetic of
their own put the image in its place and bring boxes back from there. What this shares with the exported file is the
weights, OpenCV's resizing, and what a letterbox is.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusedet.common.arguments import DUPLICATE_IOU
from fusedet.deploy.detector.contract import Contract
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.opencv import cv2
from fusedet.model import STRIDES, DetectorNet
from fusedet.model.decode import anchor_points, decode_boxes
from fusedet.model.inference import NMS_CANDIDATES

#: Padding of the letterbox, as training draws it.
_PADDING = 114
#: Classes that one anchor point may report.
_LABELS = 2

_Floats = NDArray[np.float64]


class Reference:
    """A network in torch: an image in, detections out.

    Args:
        net: the trained network, as its checkpoint gives it.
        contract: of the exported file: class names, size of the input, and which branch: with NMS the one-to-many one.
        duplicate_iou: without NMS, IoU above which a box is a duplicate of a better one of its class; None keeps all.
        points: so many anchor points are looked at, the best; left out, as in the exported file.
        max_detections: boxes of an image.
    """

    def __init__(
        self,
        net: DetectorNet,
        contract: Contract,
        *,
        duplicate_iou: float | None = DUPLICATE_IOU,
        score_threshold: float = 0.05,
        points: int | None = None,
        max_detections: int = 300,
    ) -> None:
        self._net, self.names, self._size = net.eval(), contract.names, contract.input_size
        self._anchors = anchor_points(self._size, STRIDES)
        self._nms, self._threshold = contract.nms, score_threshold
        self._limit = contract.nms_iou if contract.nms else duplicate_iou
        self._count = min(points or (NMS_CANDIDATES if contract.nms else 300), len(self._anchors.points))
        self._most = max_detections

    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections in each of several images."""
        return [self(image) for image in images_bgr]

    @torch.inference_mode()
    def __call__(self, image_bgr: NDArray[np.uint8]) -> Detections:
        """Detections in uint8 ``[h, w, 3]``; boxes in pixels of that image, highest score first."""
        canvas, shift, zoom = _place(image_bgr, self._size)
        planes = torch.from_numpy(canvas).permute(2, 0, 1)[None].float()  # [H, W, 3] -> [1, 3, H, W], BGR in 0..255
        output = self._net(planes)
        branch = output.one_to_many if self._nms else output.one_to_one
        points, scores, classes = self._best(branch.logits[0].sigmoid())
        decoded = decode_boxes(branch.distances[0].T, self._anchors)  # [A, 4]
        boxes = decoded[points].double().numpy()
        height, width = image_bgr.shape[:2]
        boxes = ((boxes - [*shift, *shift]) / [*zoom, *zoom]).clip(0, [width, height, width, height])
        if self._limit is not None:
            kept = _suppress(boxes, scores, classes, self._limit)
            boxes, scores, classes = boxes[kept], scores[kept], classes[kept]
        seen = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))[: self._most]
        return Detections(boxes[seen].astype(np.float32), scores[seen], classes[seen], self.names)

    def _best(self, scores: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """Points, scores and classes, the best first, out of ``[classes, A]``."""
        table = scores.numpy()
        found = [
            (float(table[label, point]), int(point), int(label))
            for point in np.argsort(-table.max(axis=0), kind="stable")[: self._count]
            for label in np.argsort(-table[:, point], kind="stable")[:_LABELS]
            if table[label, point] >= self._threshold
        ]
        found.sort(key=lambda one: -one[0])
        columns = np.array(found[: self._count], np.float64).reshape(-1, 3).T
        return columns[1].astype(np.int64), columns[0].astype(np.float32), columns[2].astype(np.int64)


def _place(
    image: NDArray[np.uint8], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], tuple[int, int], tuple[float, float]]:
    """The image as large as fits and centred in padding; ``(x, y)`` of its corner; its zoom in x and y."""
    height, width = image.shape[:2]
    fit = min(size[0] / height, size[1] / width)
    rows, columns = max(1, round(height * fit)), max(1, round(width * fit))
    x, y = (size[1] - columns) // 2, (size[0] - rows) // 2
    canvas = np.full((*size, 3), _PADDING, np.uint8)
    canvas[y : y + rows, x : x + columns] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR_EXACT)
    return canvas, (x, y), (columns / width, rows / height)


def _suppress(boxes: _Floats, scores: NDArray[np.float32], classes: NDArray[np.int64], limit: float) -> list[int]:
    """Greedy non-maximum suppression within each class, box by box; ``scores`` come highest first."""
    areas = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(1)
    free = np.ones(len(scores), bool)
    kept: list[int] = []
    for i in range(len(scores)):
        if free[i]:
            kept.append(i)
            corner = np.maximum(boxes[:, :2], boxes[i, :2])
            shared = (np.minimum(boxes[:, 2:], boxes[i, 2:]) - corner).clip(0).prod(1)
            free &= (classes != classes[i]) | (shared <= limit * (areas + areas[i] - shared))
    return kept
