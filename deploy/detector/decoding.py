"""From the network's outputs to the detections in one image."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fusedet.common.arguments import DUPLICATE_IOU
from fusedet.deploy.detector.contract import Contract
from fusedet.deploy.detector.detections import Detections

#: Boxes that are compared with each other at once.
_BLOCK = 64
#: Of N boxes, ``[N]`` each: left, top, right, bottom, area, class id, and position among all boxes.
_Columns = list[NDArray[Any]]


class Place(Protocol):
    """Where an image lies in the network's input, as a :class:`fusedet.deploy.detector.letterbox.Letterbox` says it."""

    def to_image(self, boxes_xyxy: ArrayLike) -> NDArray[np.float32]:
        """Boxes ``[N, 4]`` from input pixels to image pixels, clipped to the image."""
        ...


def nms(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], class_ids: NDArray[np.int64], iou_threshold: float
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression within each class.

    A box is dropped when a kept box of its class with a higher score, or with the same score and an earlier place,
    overlaps it with an IoU above the threshold.

    Args:
        boxes: ``[N, 4]`` xyxy in any one unit; a box without area overlaps nothing.
        scores: ``[N]``.
        class_ids: ``[N]``.
        iou_threshold: in 0..1; an IoU of exactly this much is kept.

    Returns:
        Positions of the kept boxes, highest score first.
    """
    order = (-scores).argsort(kind="stable")
    return order[_keep(boxes[order], class_ids[order], iou_threshold)] if len(order) > 1 else order


def _keep(boxes: NDArray[np.float32], class_ids: NDArray[np.int64], iou_threshold: float) -> NDArray[np.intp]:
    """:func:`nms` of boxes ``[N, 4]`` that come highest score first."""
    left, top, right, bottom = np.array(boxes.T, np.float32, order="C")
    areas = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    rest: _Columns = [left, top, right, bottom, areas, class_ids, np.arange(len(boxes))]
    kept = []
    while True:
        # The best of what is left settle among themselves, then drop from the rest. Where boxes overlap a lot, most of
        # them are gone after the first blocks, and were never compared with each other.
        best, rest = [column[:_BLOCK] for column in rest], [column[_BLOCK:] for column in rest]
        undisputed = _undisputed(_rivals(best, best, iou_threshold))
        kept.append(best[-1][undisputed])
        if not len(rest[-1]):
            return np.concatenate(kept)
        rivals = _rivals([column[undisputed] for column in best], rest, iou_threshold)
        free = ~rivals.any(axis=0)
        rest = [column[free] for column in rest]


def _undisputed(rivals: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of N boxes, the best first, have no rival before them that is itself kept; ``rivals`` is ``[N, N]``."""
    keep = np.ones(len(rivals), bool)
    # A box is its own rival: only those with another one can drop any.
    for i in np.flatnonzero(rivals.sum(axis=1) > 1).tolist():
        if keep[i]:
            keep[i + 1 :] &= ~rivals[i, i + 1 :]
    return keep


def _rivals(first: _Columns, second: _Columns, iou_threshold: float) -> NDArray[np.bool_]:
    """``[N, M]``: which of N and of M boxes are of one class and overlap more than allowed."""
    left, top, right, bottom, areas, class_ids, _ = (column[:, None] for column in first)  # [N, 1] each
    other_left, other_top, other_right, other_bottom, other_areas, other_class_ids, _ = second  # [M] each
    width = np.minimum(right, other_right)  # [N, M], as all that follows; written over to allocate less
    width -= np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom)
    height -= np.maximum(top, other_top)
    shared = np.maximum(width, 0, out=width)
    shared *= np.maximum(height, 0, out=height)
    union = areas + other_areas
    union -= shared
    union *= iou_threshold
    rivals = shared > union  # IoU > threshold without dividing by the union, which is 0 for boxes without area
    rivals &= class_ids == other_class_ids
    return rivals


def decode_outputs(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int64],
    letterbox: Place,
    contract: Contract,
    score_threshold: float,
    max_detections: int,
    one_label: bool = True,
    duplicate_iou: float | None = DUPLICATE_IOU,
    only: NDArray[np.int64] | None = None,
) -> Detections:
    """Detections in one image, highest score first.

    Boxes that are not finite, whose score is NaN, or that lie wholly outside the image never leave this function.

    Args:
        boxes: ``[K, 4]`` xyxy in pixels of the network's input.
        scores: ``[K]`` in (0, 1).
        class_ids: ``[K]``.
        letterbox: where the image lies in the input.
        contract: says whether NMS is due, at which IoU, and the class names.
        score_threshold: detections below this score are dropped.
        max_detections: at most so many, the best.
        one_label: where the network hesitates between classes it reports a box once for each; keep the best one only.
            Average precision is worked out from all of them.
        duplicate_iou: where no NMS is due, IoU in 0..1 above which the lower-scored of two boxes of a class is dropped
            as a duplicate detection; None keeps both. Where NMS is due, its own IoU counts.
        only: class ids that are reported, which ``max_detections`` counts; None: all.

    Raises:
        ValueError: a class id has no name in the contract.
    """
    chosen = np.flatnonzero(scores >= score_threshold)  # NaN >= x is False
    chosen = chosen[np.isfinite(boxes[chosen]).all(axis=1)]
    if not len(chosen):
        return Detections.empty(contract.names)
    chosen = chosen[(-scores[chosen]).argsort(kind="stable")]
    if one_label:
        chosen = chosen[_first_of_equals(boxes[chosen])]
    if only is not None:
        chosen = chosen[np.isin(class_ids[chosen], only)]
    # In the image: two boxes that differ only outside of it show the same.
    boxes, scores, class_ids = letterbox.to_image(boxes[chosen]), scores[chosen], class_ids[chosen]
    iou_threshold = contract.nms_iou if contract.nms else duplicate_iou
    if iou_threshold is not None and len(boxes) > 1:
        kept = _keep(boxes, class_ids, iou_threshold)
        boxes, scores, class_ids = boxes[kept], scores[kept], class_ids[kept]
    inside = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))[:max_detections]
    return Detections(boxes[inside], scores[inside], class_ids[inside], contract.names)


def _first_of_equals(boxes: NDArray[np.float32]) -> list[int]:
    """Positions of boxes ``[N, 4]`` that no earlier one is equal to, in order."""
    places: dict[tuple[float, ...], int] = {}
    for place, box in enumerate(map(tuple, boxes.tolist())):
        places.setdefault(box, place)
    return list(places.values())
