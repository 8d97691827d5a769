"""Decoded images: read once, kept in memory where they fit, read anew at each use where they do not."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal, TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.common.parallel import map_ahead
from fusedet.deploy.camera.sources import read_image
from fusedet.deploy.detector.letterbox import Letterbox
from fusedet.deploy.detector.opencv import cv2
from fusedet.train.data.coco import Sample

CacheMode = Literal["auto", "memory", "none"]
#: Called with the images done and their total.
Progress = Callable[[int, int], None]
#: Part of the free memory that ``auto`` takes.
AUTO_MEMORY_FRACTION = 0.5

_Item = TypeVar("_Item")
_log = logging.getLogger(__name__)


def load_image(sample: Sample) -> NDArray[np.uint8]:
    """Reads an image as uint8 BGR ``[h, w, 3]``.

    The EXIF orientation is ignored, as COCO annotations ignore it. The file may be a smaller or larger version of the
    annotated image, but not one of other proportions. Raises InputError if the file does not decode, or its proportions
    are not the annotated ones.
    """
    image = read_image(sample.path, upright=False)
    height, width = image.shape[:2]
    if not same_shape((width, height), (sample.width, sample.height)):
        turned = (width, height) == (sample.height, sample.width)
        hint = "; was it annotated as its EXIF orientation turns it? Then save it turned" if turned else ""
        raise InputError(
            f"{sample.path}: is {width}x{height} pixels, but the annotations say {sample.width}x{sample.height}{hint}"
        )
    return image


def same_shape(a_wh: tuple[int, int], b_wh: tuple[int, int]) -> bool:
    """Whether two sizes have equal proportions, but for the rounding of each side to a whole pixel."""
    return abs(a_wh[0] * b_wh[1] - a_wh[1] * b_wh[0]) <= max(*a_wh, *b_wh)


def training_size(sample: Sample, input_size: tuple[int, int]) -> tuple[int, int]:
    """``(height, width)`` at which an image just fits into the network's input; small images keep their size."""
    scale = min(1.0, input_size[0] / sample.height, input_size[1] / sample.width)
    return Letterbox(scale, 0, 0, sample.width, sample.height).resized


def load_at_size(sample: Sample, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Reads an image and resizes it, where it is not of that size already. See :func:`load_image`."""
    image = load_image(sample)
    if image.shape[:2] == size_hw:
        return image
    # The interpolation of the runtime's letterbox: the network learns from images like those it will see.
    return np.asarray(cv2.resize(image, size_hw[::-1], interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)


def load_annotated(sample: Sample) -> NDArray[np.uint8]:
    """Reads an image at the size that the annotations say. See :func:`load_image`."""
    return load_at_size(sample, (sample.height, sample.width))


class ImageStore:
    """The images of some samples, each at the ``(height, width)`` wanted for it.

    Kept images lie in one buffer that is written before worker processes are forked and never after: the workers
    read the parent's memory, whatever their number. Not kept, an image is read from its file at each access. Every
    image is decoded once here, so that a damaged one is found before the training starts, not in it.

    Args:
        samples: the images to hold.
        sizes: wanted for each, in pixels.
        mode: ``auto`` keeps the images where they fit into half of the memory that is free.
        copies: processes that will hold the images, where processes cannot share memory.
        progress: called while the images are decoded.

    Raises:
        InputError: an image does not decode, or does not agree with its annotations, or the images do not fit into
            the memory in mode ``memory``.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        sizes: Sequence[tuple[int, int]],
        mode: CacheMode = "auto",
        copies: int = 1,
        progress: Progress = lambda done, total: None,
    ) -> None:
        self._samples, self._sizes = samples, sizes
        self._ends = np.cumsum([height * width * 3 for height, width in sizes], dtype=np.int64)
        total = int(self._ends[-1]) if len(sizes) else 0
        keep = _keep(mode, total * copies)
        self._buffer = np.empty(total, np.uint8) if keep else None
        if not keep and mode == "auto":
            _log.info("%d images (%.1f GB) do not fit into memory: read anew in each epoch", len(samples), total / 1e9)
        for done, _ in enumerate(map_ahead(self._fill, range(len(samples)), os.cpu_count() or 1), start=1):
            progress(done, len(samples))

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Image ``index`` as uint8 BGR ``[h, w, 3]``. Do not write into it."""
        if self._buffer is None:
            return load_at_size(self._samples[index], self._sizes[index])
        return self._view(self._buffer, index)

    @property
    def in_memory(self) -> bool:
        """Whether the images are kept."""
        return self._buffer is not None

    def _view(self, buffer: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        height, width = self._sizes[index]
        end = self._ends[index]
        return buffer[end - height * width * 3 : end].reshape(height, width, 3)

    def _fill(self, index: int) -> None:
        image = load_at_size(self._samples[index], self._sizes[index])
        if self._buffer is not None:
            self._view(self._buffer, index)[:] = image


def _keep(mode: CacheMode, size: int) -> bool:
    if mode == "none":
        return False
    free = psutil.virtual_memory().available
    if mode == "memory" and size > free:
        raise InputError(
            f"data.cache is memory, but the images need {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
            "data.cache=none reads them anew in each epoch"
        )
    return mode == "memory" or size <= AUTO_MEMORY_FRACTION * free


def in_batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """The items in lists of ``size``; the last one may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
