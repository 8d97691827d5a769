"""Several detectors as one, by weighted boxes fusion (Solovyev et al., 2021).

Boxes of a class that overlap are one object: its box is their mean, weighted by their scores, and its score is the sum
of their scores over the number of detectors, so that what only one of them sees counts less. Suppression would keep
one of the boxes and throw away what the others know.

Other than there, an object takes at most one box of each detector: two boxes that one detector reports, and its own
suppression has kept, are two objects. In a crowd people overlap.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.detector.boxes import box_iou
from fusedet.deploy.detector.detections import Detections, Predictor

#: Overlap above which a box joins an object.
FUSION_IOU = 0.55


class Ensemble:
    """Several detectors, at least one, behind the interface of one. Raises InputError if their classes differ."""

    def __init__(self, members: Sequence[Predictor]) -> None:
        self.members = tuple(members)
        self.names = tuple(members[0].names)
        for number, member in enumerate(members[1:], start=2):
            if tuple(member.names) != self.names:
                raise InputError(
                    f"detectors that are used together must have the same classes: number 1 has {len(self.names)}, "
                    f"first {self.names[0]!r}, but number {number} has {len(member.names)}, first {member.names[0]!r}"
                )

    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections in each image, in its own pixels."""
        found = [member.batch(images_bgr) for member in self.members]
        return [fuse_detections(of_one_image) for of_one_image in zip(*found, strict=True)]


def fuse_detections(found: Sequence[Detections]) -> Detections:
    """What several detectors found in one image, as one list, highest score first."""
    boxes, scores, class_ids = (
        np.concatenate([getattr(detections, name) for detections in found])
        for name in ("boxes_xyxy", "scores", "class_ids")
    )
    members = np.repeat(np.arange(len(found)), [len(detections) for detections in found])
    fused: list[tuple[int, NDArray[np.float64], float]] = []
    for class_id in np.unique(class_ids):
        own = np.flatnonzero(class_ids == class_id)
        own = own[np.argsort(-scores[own], kind="stable")]
        for box, weight in _objects(boxes[own].astype(float), scores[own].astype(float), members[own], len(found)):
            fused.append((int(class_id), box, weight / len(found)))
    fused.sort(key=lambda item: -item[2])
    return Detections(
        np.array([box for _, box, _ in fused], np.float32).reshape(-1, 4),
        np.array([score for _, _, score in fused], np.float32),
        np.array([class_id for class_id, _, _ in fused], np.int64),
        found[0].names,
    )


def _objects(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], members: NDArray[np.intp], count: int
) -> list[tuple[NDArray[np.float64], float]]:
    """Boxes ``[N, 4]`` of one class, best first -> the mean box and the sum of scores of each object.

    ``members`` ``[N]`` says which of ``count`` detectors a box is from.
    """
    means, weights, seen = np.zeros((0, 4)), np.zeros(0), np.zeros((0, count), bool)
    for box, score, member in zip(boxes, scores, members, strict=True):
        overlaps = np.where(seen[:, member], 0, box_iou(box, means)[0])
        if len(overlaps) and overlaps.max() > FUSION_IOU:
            i = int(overlaps.argmax())
            means[i] = (means[i] * weights[i] + box * score) / (weights[i] + score)
            weights[i] += score
        else:
            i = len(means)
            means, weights = np.concatenate([means, box[None]]), np.append(weights, score)
            seen = np.concatenate([seen, np.zeros((1, count), bool)])
        seen[i, member] = True
    return list(zip(means, weights.tolist(), strict=True))
