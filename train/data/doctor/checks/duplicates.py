"""Images that are there twice: within a set, or in the set to learn from and in the validation set.

Equal pixels are found by their digest. Copies that were saved anew, resized or made a little brighter are found by a
difference hash (dHash) of 256 bits, and taken for copies only where the small grey images agree everywhere: a camera
that looks at one place makes many images that differ in one spot, and they are not copies.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fusedet.common.text import counted
from fusedet.deploy.detector.opencv import cv2
from fusedet.train.data.doctor.checks.images import Look, fingerprint
from fusedet.train.data.doctor.finding import Finding

#: Two copies differ in at most so many of the 256 bits, and in their small grey images, brightness and contrast
#: aligned, by at most so many of 255 levels anywhere. Chosen by looking at the pairs of five sets: docs/data.md.
MAX_BITS, MAX_LEVELS = 32, 18.0
#: An image without any contrast to speak of, in levels, resembles every other such one: only equal pixels count.
_LEAST_CONTRAST = 6.0
#: Copies have proportions that differ by at most this part: resizing rounds.
_SHAPE_TOLERANCE = 0.02
_NEARLY = "nearly the same as"
#: Images that are compared with all others at once: bounds the memory.
_BLOCK = 1024


def check_duplicates(looks: Sequence[Look]) -> Iterator[Finding]:
    """A finding for each image that repeats an earlier one; the validation sets count as earlier than the others."""
    order = sorted((seen for seen in looks if not seen.fault), key=lambda seen: seen.split.name == "train")
    twin: dict[int, tuple[int, str]] = {}
    for first, second, how in _pairs(order):
        root, how_first = twin.get(first, (first, how))
        twin.setdefault(second, (root, how if how_first == how else _NEARLY))
    for second, (first, how) in sorted(twin.items()):
        yield _finding(order[first], order[second], how)


class Seen:
    """The images of a stream, such as a camera's, to tell those that show nothing new."""

    def __init__(self) -> None:
        self._bits: list[NDArray[np.bool_]] = []
        self._thumbs: list[NDArray[np.uint8]] = []

    def is_new(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether no earlier image was nearly the same as this one, uint8 BGR ``[H, W, 3]``; it counts from now on.

        Images without contrast, as of a camera at night, are the same where their levels are.
        """
        bits, thumb = fingerprint(pixels)
        flat = _is_flat(thumb)
        near = np.ones(len(self._bits), bool)
        if self._bits and not flat:
            near = (np.stack(self._bits) != bits).sum(1) <= MAX_BITS
        for index in np.flatnonzero(near):
            other = self._thumbs[index]
            if flat and _is_flat(other):
                apart = float(np.abs(_blurred(thumb) - _blurred(other)).max())
            else:
                apart = levels_apart(other, thumb)
            if apart <= MAX_LEVELS:
                return False
        self._bits.append(bits)
        self._thumbs.append(thumb)
        return True


def _is_flat(thumb: NDArray[np.uint8]) -> bool:
    return float(thumb.std()) < _LEAST_CONTRAST


def _blurred(thumb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(thumb.astype(np.float32), (0, 0), 0.8))


def _finding(first: Look, second: Look, how: str) -> Finding:
    boxes = f"{len(first.image.objects)} and {counted(len(second.image.objects), 'box', 'boxes')}"
    found = f"{how} {first.image.file_name} of {first.split.name} ({boxes})"
    other = (first.split.name, first.image.position)
    if first.split is second.split:
        return second.split.about_image("duplicate-image", second.image, "each image once", found, other)
    expected = f"an image that is not in {first.split.name}"
    return second.split.about_image("leak", second.image, expected, found, other)


def _pairs(looks: Sequence[Look]) -> list[tuple[int, int, str]]:
    """Indices of copies, the earlier one first, sorted, and how equal they are."""
    first_of: dict[bytes, int] = {}
    exact, distinct = [], []
    for i, seen in enumerate(looks):
        known = first_of.setdefault(seen.digest, i)
        if known != i:
            exact.append((known, i, "the same pixels as"))
        elif not seen.blank:
            distinct.append(i)
    near = [(i, j, _NEARLY) for i, j in _near(looks, distinct)]
    return sorted(exact + near)


def _near(looks: Sequence[Look], which: Sequence[int]) -> Iterator[tuple[int, int]]:
    if len(which) < 2:
        return
    bits = np.stack([np.asarray(looks[i].bits) for i in which])
    signs = bits.astype(np.float32) * 2 - 1  # the product of two is 256 less twice the bits that differ
    limit = signs.shape[1] - 2 * MAX_BITS
    for start in range(0, len(which), _BLOCK):
        alike = signs[start : start + _BLOCK] @ signs[start:].T >= limit
        for row, column in np.argwhere(np.triu(alike, 1)):
            i, j = which[start + row], which[start + column]
            a, b = looks[i], looks[j]
            assert a.thumb is not None
            assert b.thumb is not None
            shapes = a.size_wh[0] * b.size_wh[1] / (a.size_wh[1] * b.size_wh[0])
            if abs(shapes - 1) <= _SHAPE_TOLERANCE and levels_apart(a.thumb, b.thumb) <= MAX_LEVELS:
                yield i, j


def levels_apart(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """How far two small grey images are apart where they differ most, brightness and contrast aligned: 0 to 255.

    Infinity where one has no contrast to speak of, or the contrasts differ by a factor of 2.
    """
    first, second = _blurred(a), _blurred(b)
    first, second = first - first.mean(), second - second.mean()
    if min(first.std(), second.std()) < _LEAST_CONTRAST:
        return math.inf
    gain = float((first * second).mean() / first.var())
    return float(np.abs(second - gain * first).max()) if 0.5 < gain < 2 else math.inf
