"""Pairs the detections of two runs on one image: do both find the same objects?

The check of an export, its certificate and the self-test on a board all pair their boxes here. Elementwise differences
of outputs would not do: two detections of nearly equal score may change places.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fusedet.deploy.detector.boxes import box_iou
from fusedet.deploy.detector.detections import Detections

__all__ = ["Pair", "Pairing", "pair_detections"]


class Pair(NamedTuple):
    """A detection and its counterpart.

    Attributes:
        first: position in the first run.
        second: position in the second run.
        score: difference of the scores.
        side_px: largest difference of a box side, in pixels.
        iou: of the boxes, 0..1.
    """

    first: int
    second: int
    score: float
    side_px: float
    iou: float


@dataclass(frozen=True)
class Pairing:
    """Which detections of two runs belong together.

    Attributes:
        pairs: in the order in which they were found.
        unmatched: of each run, the positions of detections that count and have no counterpart.
    """

    pairs: tuple[Pair, ...]
    unmatched: tuple[tuple[int, ...], tuple[int, ...]]


def pair_detections(
    first: Detections,
    second: Detections,
    *,
    thresholds: tuple[float, float],
    score: float,
    iou: float,
    side: float = 0.0,
) -> Pairing:
    """Finds the counterpart of each detection that counts, first of ``first`` in ``second``, then the other way round.

    A counterpart has the same class, nearly the same score and nearly the same box; of several, the one whose sides
    differ least is taken. No detection belongs to two pairs.

    Args:
        first: detections of one run.
        second: detections of the other run, on the same image.
        thresholds: of each run, the score from which a detection counts; its counterpart may have a lower score.
        score: largest difference of scores.
        iou: least IoU.
        side: a box whose sides differ by at most this fraction of its largest coordinate is the same, whatever its
            IoU: boxes without area have none.
    """
    runs = first, second
    free = tuple(np.ones(len(run), bool) for run in runs)
    pairs = list[Pair]()
    unmatched: tuple[list[int], list[int]] = ([], [])
    for own, other in ((0, 1), (1, 0)):
        opposite = runs[other]
        for index in map(int, np.flatnonzero((runs[own].scores >= thresholds[own]) & free[own])):
            box = runs[own].boxes_xyxy[index]
            ious = box_iou(box, opposite.boxes_xyxy)[0]
            moved = np.abs(opposite.boxes_xyxy - box).max(axis=1)
            gaps = np.abs(opposite.scores - runs[own].scores[index])
            same_box = (ious >= iou) | (moved <= side * max(1.0, float(np.abs(box).max())))
            same_class = opposite.class_ids == runs[own].class_ids[index]
            fits = same_class & same_box & (gaps <= score) & free[other]
            if not fits.any():
                unmatched[own].append(index)
                continue
            match = int(np.where(fits, moved, np.inf).argmin())
            free[own][index] = free[other][match] = False
            places = (index, match) if own == 0 else (match, index)
            pairs.append(Pair(*places, float(gaps[match]), float(moved[match]), float(ious[match])))
    return Pairing(tuple(pairs), (tuple(unmatched[0]), tuple(unmatched[1])))
