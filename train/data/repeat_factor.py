"""Rare classes are seen more often: repeat-factor sampling.

An image counts as often as its rarest class wants, ``max(1, sqrt(threshold / f))`` where ``f`` is the part of the
images that hold the class (Gupta, Dollár and Girshick, "LVIS: A Dataset for Large Vocabulary Instance Segmentation",
2019, section 5). Factors are no whole numbers; LVIS rounds each one at random in each epoch. Here one draw an epoch
rounds all of them (systematic sampling: Madow, 1949), which keeps every epoch equally long, and each image
within one of its factor.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fusedet.train.data.coco import Sample


def repeat_factors(samples: Sequence[Sample], classes: int, threshold: float) -> NDArray[np.float64]:
    """How often each image should be seen in an epoch, ``[N]``, each at least 1; their sum is a whole number.

    Classes in a smaller part of the images than ``threshold`` (0..1) are rare. Regions to ignore are no objects.
    """
    present = [np.unique(sample.labels[~sample.crowd]) for sample in samples]
    images = np.bincount(np.concatenate([np.empty(0, np.int64), *present]), minlength=classes)
    wanted = np.sqrt(threshold * len(samples) / np.maximum(images, 1)).clip(min=1.0)
    factors = np.array([wanted[labels].max(initial=1.0) for labels in present])
    total = factors.sum()
    return factors * (np.ceil(total - 1e-9 * total) / total).clip(min=1.0)  # the sum of ones is whole, but for rounding


def repeated(factors: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of the images of one epoch, in order; each as often as its factor, rounded up or down by chance."""
    ends = np.cumsum(factors)
    ends[-1] = round(ends[-1])  # whole but for rounding
    counts = np.diff(np.floor(ends + rng.random()), prepend=0.0).astype(np.int64)
    return np.repeat(np.arange(len(factors)), counts)
