"""Which detection is which object: the rules of COCO's evaluation for one IoU, with every pair to look at."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.boxes import box_iou
from fusedet.deploy.detector.detections import Detections
from fusedet.train.data.coco import CocoDataset, Sample
from fusedet.train.evaluation.metrics import MAX_DETECTIONS

#: In the place of an object: there is none.
NONE = -1
#: In the place of an object: the detection lies in a region to ignore, and counts neither way.
IGNORED = -2


@dataclass(frozen=True)
class Ranked:
    """All detections of one class in a data set, highest score first, those to ignore left out."""

    scores: NDArray[np.float64]  # [N], in 0..1
    hits: NDArray[np.bool_]  # [N]: the detection is an object that no better one had taken
    objects: int  # how many there are to find


@dataclass(frozen=True)
class Judged:
    """One image: every detection and every object, and what became of it."""

    sample: Sample
    found: Detections
    #: [D]: the object of the same class that a detection found, else :data:`NONE` or :data:`IGNORED`
    right: NDArray[np.int64]
    confused: NDArray[np.int64]  # [D]: the object of another class that it took for its own, else :data:`NONE`

    @property
    def false_alarms(self) -> NDArray[np.bool_]:
        """``[D]``: detections where there is nothing, or what another detection has found already."""
        return (self.right == NONE) & (self.confused == NONE)

    @property
    def missed(self) -> NDArray[np.bool_]:
        """``[G]``: objects that no detection found, under whatever name."""
        missed = ~self.sample.crowd
        missed[self.right[self.right >= 0]] = False
        missed[self.confused[self.confused >= 0]] = False
        return missed

    @property
    def errors(self) -> int:
        """Missed objects, false alarms and objects under another name."""
        return int(self.missed.sum() + self.false_alarms.sum() + (self.confused >= 0).sum())


def match(sample: Sample, found: Detections, iou: float = 0.5) -> NDArray[np.int64]:
    """The object of its own class that each detection found, ``[D]``; :data:`NONE` or :data:`IGNORED` else.

    The best detection chooses first, and takes the object that it overlaps most among those that are left.
    """
    result = np.full(len(found), NONE, np.int64)
    shared = box_iou(found.boxes_xyxy, sample.boxes_xyxy, sample.crowd)
    shared[found.class_ids[:, None] != sample.labels] = 0
    single = np.where(sample.crowd, 0, shared)
    regions = (np.where(sample.crowd, shared, 0) >= iou).any(axis=1)
    for i in np.flatnonzero((single >= iou).any(axis=1)):
        best = int(single[i].argmax())
        if single[i, best] >= iou:
            result[i] = best
            single[:, best] = 0
    result[(result == NONE) & regions] = IGNORED
    return result


def rank(dataset: CocoDataset, found: Mapping[int, Detections], iou: float = 0.5) -> list[Ranked]:
    """One :class:`Ranked` for each class of the data set. COCO's limit of detections for an image and class holds."""
    scores, labels, matched = [], [], []
    for sample in sorted(dataset.samples, key=lambda sample: sample.image_id):
        if sample.image_id not in found:
            continue
        detections = _first_of_each_class(found[sample.image_id])
        scores.append(detections.scores)
        labels.append(detections.class_ids)
        matched.append(match(sample, detections, iou))
    objects = np.zeros(len(dataset.names), np.int64)
    for sample in dataset.samples:
        objects += np.bincount(sample.labels[~sample.crowd], minlength=len(objects))
    all_scores = np.concatenate([np.zeros(0), *scores])
    all_labels, all_matched = (np.concatenate([np.zeros(0, np.int64), *parts]) for parts in (labels, matched))
    result = []
    for label, count in enumerate(objects.tolist()):
        chosen = np.flatnonzero((all_labels == label) & (all_matched != IGNORED))
        chosen = chosen[np.argsort(-all_scores[chosen], kind="stable")]
        result.append(Ranked(all_scores[chosen], all_matched[chosen] >= 0, count))
    return result


def _first_of_each_class(found: Detections) -> Detections:
    if len(found) <= MAX_DETECTIONS:
        return found
    keep = np.zeros(len(found), bool)
    for label in np.unique(found.class_ids):
        keep[np.flatnonzero(found.class_ids == label)[:MAX_DETECTIONS]] = True
    return found[keep]


def best_labels(found: Detections) -> Detections:
    """A box keeps its best class only, as the runtime has it; the evaluator is given a box once for each hypothesis."""
    return found[np.sort(np.unique(found.boxes_xyxy, axis=0, return_index=True)[1])]


def judge(sample: Sample, found: Detections, threshold: float, iou: float = 0.5) -> Judged:
    """What a user of the detector would see at a confidence of ``threshold``.

    Detections that found no object of their class are matched once more with what is left, whatever its class.
    """
    found = best_labels(found)
    found = found[found.scores >= threshold]
    right = match(sample, found, iou)
    confused = np.full(len(found), NONE, np.int64)
    shared = box_iou(found.boxes_xyxy, sample.boxes_xyxy)
    shared[:, sample.crowd] = 0
    shared[:, right[right >= 0]] = 0
    for i in np.flatnonzero(right == NONE):
        if shared.shape[1] and shared[i].max() >= iou:
            confused[i] = int(shared[i].argmax())
            shared[:, confused[i]] = 0
    return Judged(sample, found, right, confused)
