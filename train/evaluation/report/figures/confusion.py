"""Which classes are taken for which: the confusion matrix of a detector, with the background as one more class."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusedet.train.evaluation.matching import IGNORED, Judged


@dataclass(frozen=True)
class Confusion:
    """Counts of pairs of object and detection."""

    names: tuple[str, ...]  # of the C classes
    #: int64 ``[C + 1, C + 1]``: a row for each true class, a column for each class that was found. The last row holds
    #: false alarms, where there is background; the last column missed objects.
    counts: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Parts in 0..1: of the objects of the row's class; in the last row, of the boxes of the column's class."""
        totals = np.repeat(self.counts.sum(axis=1, keepdims=True), len(self.counts), axis=1)
        totals[-1] = self.counts.sum(axis=0)
        return np.divide(self.counts, totals, out=np.zeros(self.counts.shape), where=totals > 0)

    def worst_pairs(self, most: int = 10) -> list[tuple[str, str, int]]:
        """True class, class that was found instead, and how often: the most frequent first."""
        wrong = self.counts[:-1, :-1].copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        rows, columns = np.unravel_index(order, wrong.shape)
        return [
            (self.names[row], self.names[column], int(wrong[row, column]))
            for row, column in zip(rows, columns, strict=True)
            if wrong[row, column]
        ]


def confusion(names: tuple[str, ...], judged: Iterable[Judged]) -> Confusion:
    """The matrix of some images."""
    background = len(names)
    counts = np.zeros((background + 1, background + 1), np.int64)
    for one in judged:
        labels = one.sample.labels
        counts[:-1, background] += np.bincount(labels[one.missed], minlength=background)
        for found, right, confused in zip(one.found.class_ids, one.right, one.confused, strict=True):
            if right == IGNORED:
                continue
            taken = right if right >= 0 else confused
            counts[labels[taken] if taken >= 0 else background, found] += 1
    return Confusion(names, counts)
