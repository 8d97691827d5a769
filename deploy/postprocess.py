"""From the network's outputs to the detections in one picture."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fusedet.deploy.contract import Contract
from fusedet.deploy.detections import Detections

__all__ = ["Place", "decode_outputs", "nms"]

#: Boxes that NMS settles at once.
_ROUND = 64


class Place(Protocol):
    """Where a picture lies in the network's input, for example a :class:`fusedet.deploy.preprocess.Letterbox`."""

    def to_image(self, boxes_xyxy: ArrayLike) -> NDArray[np.float32]:
        """Boxes ``[N, 4]`` from input pixels to picture pixels, clipped to the picture."""
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
    boxes = np.asarray(boxes, np.float32)
    rest = np.argsort(-scores, kind="stable")
    kept = [rest[:0]]
    while len(rest):
        # The best of what is left settle among themselves, then drop from the rest. Where boxes overlap a lot, most of
        # them are gone after the first rounds, and were never compared with each other.
        best, rest = rest[:_ROUND], rest[_ROUND:]
        best = best[_undisputed(_rivals(boxes, class_ids, best, best, iou_threshold))]
        rest = rest[~_rivals(boxes, class_ids, best, rest, iou_threshold).any(axis=0)]
        kept.append(best)
    return np.concatenate(kept)


def _undisputed(rivals: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of N boxes, the best first, have no rival before them that is itself kept; ``rivals`` is ``[N, N]``."""
    keep = np.ones(len(rivals), bool)
    # A box is its own rival: only those with another one can drop any.
    for i in np.flatnonzero(np.count_nonzero(rivals, axis=1) > 1):
        if keep[i]:
            keep[i + 1 :] &= ~rivals[i, i + 1 :]
    return keep


def _rivals(
    boxes: NDArray[np.float32],
    class_ids: NDArray[np.int64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    iou_threshold: float,
) -> NDArray[np.bool_]:
    """``[N, M]``: which of the boxes at ``first`` and at ``second`` are of one class and overlap more than allowed."""
    left, top, right, bottom = boxes[first].T[:, :, None]  # [N, 1] each
    other_left, other_top, other_right, other_bottom = boxes[second].T  # [M] each
    width = np.minimum(right, other_right) - np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    shared = _area(width, height)
    union = _area(right - left, bottom - top) + _area(other_right - other_left, other_bottom - other_top) - shared
    # shared > t * union says IoU > t without dividing by the union, which is 0 for boxes without area.
    return (shared > iou_threshold * union) & (class_ids[first, None] == class_ids[second])


def _area(width: NDArray[np.float32], height: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.maximum(width, 0) * np.maximum(height, 0)


def decode_outputs(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int64],
    letterbox: Place,
    contract: Contract,
    score_threshold: float,
    max_detections: int,
    one_label: bool = True,
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
        one_label: where the network hesitates between classes it reports a box once for each; keep the best one only.
            Average precision is worked out from all of them.

    Raises:
        ValueError: a class id has no name in the contract.
    """
    chosen = np.flatnonzero((scores >= score_threshold) & np.isfinite(boxes).all(axis=1))  # NaN >= x is False
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    if one_label:
        chosen = chosen[np.sort(np.unique(boxes[chosen], axis=0, return_index=True)[1])]
    boxes, scores, class_ids = boxes[chosen], scores[chosen], class_ids[chosen]
    order = nms(boxes, scores, class_ids, contract.nms_iou) if contract.nms else slice(None)
    boxes, scores, class_ids = letterbox.to_image(boxes[order]), scores[order], class_ids[order]
    inside = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))[:max_detections]
    return Detections(boxes[inside], scores[inside], class_ids[inside], contract.names)
