"""From the network's outputs to the detections in one picture."""

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.contract import Contract
from fusedet.deploy.detections import Detections
from fusedet.deploy.preprocess import Letterbox

__all__ = ["decode_outputs", "nms"]


def nms(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], class_ids: NDArray[np.int64], iou_threshold: float
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression within each class.

    A box is dropped when a kept box of its class with a higher score, or with the same score and an earlier place,
    overlaps it with an IoU above the threshold. Memory grows with the square of the number of boxes.

    Args:
        boxes: ``[N, 4]`` xyxy in any one unit; a box without area overlaps nothing.
        scores: ``[N]``.
        class_ids: ``[N]``.
        iou_threshold: in 0..1; an IoU of exactly this much is kept.

    Returns:
        Positions of the kept boxes, highest score first.
    """
    order = np.argsort(-scores, kind="stable")
    x1, y1, x2, y2 = np.ascontiguousarray(boxes[order].T, np.float32)
    # In place where it can be: most of the time would go into fresh memory.
    overlap = _overlaps(x1, x2)  # [N, N]
    overlap *= _overlaps(y1, y2)
    area = (x2 - x1).clip(0) * (y2 - y1).clip(0)
    union = area[:, None] + area
    union -= overlap
    union *= iou_threshold
    classes = class_ids[order]
    # overlap > t * union says IoU > t without dividing by the union, which is 0 for boxes without area.
    rivals = overlap > union
    rivals &= classes[:, None] == classes
    keep = np.ones(len(order), bool)
    # A box is its own rival: only those with another one can drop any.
    for i in np.flatnonzero(np.count_nonzero(rivals, axis=1) > 1):
        if keep[i]:
            keep[i + 1 :] &= ~rivals[i, i + 1 :]
    return order[keep]


def _overlaps(low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.float32]:
    """Length ``[N, N]`` that each two of N intervals share, 0 where they are apart."""
    shared = np.minimum(high[:, None], high)
    shared -= np.maximum(low[:, None], low)
    return np.maximum(shared, 0, out=shared)


def decode_outputs(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int64],
    letterbox: Letterbox,
    contract: Contract,
    score_threshold: float,
    max_detections: int,
) -> Detections:
    """Detections in one picture, highest score first.

    Boxes that are not finite, whose score is NaN, or that lie wholly outside the picture never leave this function.

    Args:
        boxes: ``[K, 4]`` xyxy in pixels of the network's input.
        scores: ``[K]`` in (0, 1).
        class_ids: ``[K]``.
        letterbox: where the picture lies in the input.
        contract: says whether NMS is due, at which IoU, and the class names.
        score_threshold: lowest score that counts.
        max_detections: at most so many, the best.

    Raises:
        ValueError: a class id has no name in the contract.
    """
    chosen = np.flatnonzero((scores >= score_threshold) & np.isfinite(boxes).all(axis=1))  # NaN >= x is False
    boxes, scores, class_ids = boxes[chosen], scores[chosen], class_ids[chosen]
    by_score = np.argsort(-scores, kind="stable")
    order = nms(boxes, scores, class_ids, contract.nms_iou) if contract.nms else by_score
    boxes, scores, class_ids = letterbox.to_image(boxes[order]), scores[order], class_ids[order]
    inside = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))[:max_detections]
    return Detections(boxes[inside], scores[inside], class_ids[inside], contract.names)
