"""Batches of augmented images for training, and plain images for evaluation."""

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fusedet.common.errors import InputError
from fusedet.common.parallel import map_ahead
from fusedet.deploy.detector.opencv import cv2
from fusedet.train.config import AugmentConfig, DataConfig
from fusedet.train.data.coco import CocoDataset, Sample
from fusedet.train.data.image_cache import ImageStore, Progress, load_annotated, training_size
from fusedet.train.data.repeat_factor import repeat_factors, repeated
from fusedet.train.data.transforms import CROWD, Example, augment

#: Label of the rows that fill a batch up to its image with the most objects.
PADDING = -1

#: How far workers stand back. On a CPU the network's threads wait for each other after every layer: a worker that takes
#: one of their cores away stops them all, and there is time left between the steps.
_PATIENCE = 10

#: That a worker lives on after SIGTERM, so that the training can finish its step and save its state.
_LAST_SECONDS = 60

# First words of the seeds: what a random stream is for.
_ORDER, _IMAGE = 1, 2


class Batch(NamedTuple):
    """Images of one size with their objects."""

    images: Tensor  # uint8 [B, H, W, 3] BGR
    boxes: Tensor  # float32 [B, M, 4] xyxy in pixels of the input; 0 where there is no object
    #: int64 [B, M]: class indices, :data:`PADDING`, or :data:`CROWD` less the class that a region ignores
    labels: Tensor
    image_ids: Tensor  # int64 [B]: of the image; of a mosaic, the one it was drawn for
    weights: Tensor  # float32 [B, M] in 0..1: how sure it is that the object is there; 0 where there is none


class Key(NamedTuple):
    """One image to prepare. It says all that its randomness depends on, so that any process can prepare it."""

    epoch: int
    position: int
    sample: int
    mosaic: bool


def collate(examples: Sequence[Example], image_ids: Sequence[int]) -> Batch:
    """Examples of one size as a batch. ``M`` is at least 1, so that no tensor is empty."""
    rows = max(1, max(len(example.labels) for example in examples))
    boxes = np.zeros((len(examples), rows, 4), np.float32)
    labels = np.full((len(examples), rows), PADDING, np.int64)
    weights = np.zeros((len(examples), rows), np.float32)
    for i, example in enumerate(examples):
        boxes[i, : len(example.labels)] = example.boxes_xyxy
        labels[i, : len(example.labels)] = example.labels
        weights[i, : len(example.labels)] = example.weights
    images = np.stack([example.image for example in examples])
    return Batch(*map(torch.from_numpy, (images, boxes, labels, np.array(image_ids, np.int64), weights)))


class _Examples:
    """The training examples as they are: images at training size with their boxes."""

    def __init__(self, samples: Sequence[Sample], images: ImageStore) -> None:
        self.samples, self._images = samples, images

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Example:
        sample, image = self.samples[index], self._images[index]
        zoom = np.tile([image.shape[1] / sample.width, image.shape[0] / sample.height], 2)
        boxes = (sample.boxes_xyxy * zoom).astype(np.float32)
        return Example(image, boxes, np.where(sample.crowd, CROWD - sample.labels, sample.labels), sample.scores)


class _Batches(Dataset[Batch | InputError]):
    """Prepares the batch of some keys; runs in the worker processes."""

    def __init__(self, examples: _Examples, input_size: tuple[int, int], config: AugmentConfig, seed: int) -> None:
        self._examples, self._input_size, self._config, self._seed = examples, input_size, config, seed

    def __getitem__(self, keys: Sequence[Key]) -> Batch | InputError:
        # Raised in a worker, an error would reach the user as the text of a traceback: it is handed over as a value.
        try:
            prepared = [self._prepare(key) for key in keys]
        except InputError as error:
            return error
        return collate(prepared, [self._examples.samples[key.sample].image_id for key in keys])

    def _prepare(self, key: Key) -> Example:
        rng = np.random.default_rng([_IMAGE, self._seed, key.epoch, key.position])
        return augment(self._examples, key.sample, self._input_size, self._config, key.mosaic, rng)


@dataclass(frozen=True)
class Share:
    """One process's part of each epoch."""

    rank: int = 0  # this process among ``world_size`` that share an epoch
    world_size: int = 1  # number of such processes
    neighbours: int = 1  # how many of them share this machine's memory


class _Order(Sampler[list[Key]]):
    """The keys of one rank's batches in one epoch: a permutation of all images, its start again at its end.

    Batch ``i`` of all ranks together takes the next ``batch * world_size`` positions; each rank has its own part.
    Where ``factors`` say so, images stand in it several times (:mod:`fusedet.train.data.repeat_factor`).
    """

    def __init__(self, count: int, batch: int, seed: int, share: Share, factors: NDArray[np.float64] | None) -> None:
        self._images, self._factors = count, factors
        self._count = count if factors is None else round(float(factors.sum()))
        self._batch, self._seed, self._rank, self._world_size = batch, seed, share.rank, share.world_size
        self.epoch, self.mosaic, self.start = 0, False, 0

    def __len__(self) -> int:
        return -(-self._count // (self._batch * self._world_size))

    def __iter__(self) -> Iterator[list[Key]]:
        rng = np.random.default_rng([_ORDER, self._seed, self.epoch])
        order = rng.permutation(self._images if self._factors is None else repeated(self._factors, rng))
        for step in range(self.start, len(self)):
            first = (step * self._world_size + self._rank) * self._batch
            positions = range(first, first + self._batch)
            yield [Key(self.epoch, i, int(order[i % self._count]), self.mosaic) for i in positions]


class TrainLoader:
    """Batches of augmented images, epoch by epoch. Made by :func:`build_train_loader`.

    The batches depend on the seed and the epoch alone, not on the number of workers nor on what was read before.
    """

    def __init__(self, batches: _Batches, order: _Order, workers: int) -> None:
        self._order, self._workers = order, workers
        context = multiprocessing.get_context(_start_method()) if workers else None
        with _calm_workers():
            self._loader = DataLoader(
                batches,
                batch_size=None,
                sampler=order,
                num_workers=workers,
                persistent_workers=workers > 0,
                multiprocessing_context=context,
                worker_init_fn=_set_up_worker,
            )

    def __len__(self) -> int:
        """Batches in an epoch: the last one is filled up with the first images of the epoch's order."""
        return len(self._order)

    def epoch(self, epoch: int, mosaic: bool, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0. The first ``start`` are left out, as after a resume.

        ``mosaic`` allows mosaic and mixup. Raises InputError if an image cannot be read any more.
        """
        self._order.epoch, self._order.mosaic, self._order.start = epoch, mosaic, start
        with _calm_workers():
            batches = iter(self._loader)
        for batch in batches:
            if isinstance(batch, InputError):
                # A new one: raised, it would refer to this frame and this frame to it, and the workers in the cycle
                # could not be ended in order.
                raise InputError(str(batch))
            yield batch

    def close(self) -> None:
        """Ends the workers; no epoch can follow.

        Left to Python's exit they would live on for a while: whatever went wrong in a logger may still refer to this.
        """
        del self._loader


def build_train_loader(
    dataset: CocoDataset,
    input_size: tuple[int, int],
    augment: AugmentConfig,
    data: DataConfig,
    batch: int,
    seed: int,
    share: Share | None = None,
    progress: Progress = lambda done, total: None,
) -> TrainLoader:
    """Reads the images, or checks that they can be read, and prepares to serve them in batches.

    Args:
        dataset: images and objects.
        input_size: ``(height, width)`` of the batches in pixels.
        augment: how images are varied.
        data: where images are kept, how many processes prepare batches, whether rare classes count more.
        batch: images in a batch of one rank.
        seed: of all randomness.
        share: what this process takes of each epoch; left out, all of it.
        progress: called while the images are read.

    Raises:
        InputError: an image cannot be read or does not agree with its annotations.
    """
    share = share or Share()
    copies = 1 if _start_method() == "fork" else 1 + data.workers
    sizes = [training_size(sample, input_size) for sample in dataset.samples]
    images = ImageStore(dataset.samples, sizes, data.cache, copies * share.neighbours, progress)
    batches = _Batches(_Examples(dataset.samples, images), input_size, augment, seed)
    factors = repeat_factors(dataset.samples, len(dataset.names), data.balance) if data.balance else None
    return TrainLoader(batches, _Order(len(dataset.samples), batch, seed, share, factors), data.workers)


class ValidationImages:
    """The images of a data set with their samples, to be iterated over once for each evaluation.

    They are kept in memory where they fit; else threads read them. Each is of the annotated size, so that detections
    can be compared. Raises InputError if an image cannot be read or does not agree with its annotations.
    """

    def __init__(self, dataset: CocoDataset, data: DataConfig, progress: Progress = lambda done, total: None) -> None:
        self._samples, self._workers = dataset.samples, data.workers
        sizes = [(sample.height, sample.width) for sample in dataset.samples]
        self._images = ImageStore(dataset.samples, sizes, data.cache, progress=progress)

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[tuple[Sample, NDArray[np.uint8]]]:
        threads = 0 if self._images.in_memory else self._workers
        return zip(self._samples, map_ahead(self._images.__getitem__, range(len(self)), threads), strict=True)


def iterate_images(dataset: CocoDataset, workers: int = 2) -> Iterator[tuple[Sample, NDArray[np.uint8]]]:
    """Each sample with its image, uint8 BGR ``[height, width, 3]`` of the annotated size, read ahead by threads.

    Raises InputError if an image cannot be read or does not agree with its annotations.
    """
    return zip(dataset.samples, map_ahead(load_annotated, dataset.samples, workers), strict=True)


def _start_method() -> str:
    """Forked workers share the images of their parent. Elsewhere than on Linux forking is not safe or not there."""
    return "fork" if sys.platform == "linux" else "spawn"


@contextmanager
def _calm_workers() -> Iterator[None]:
    """Makes it safe to fork workers off here.

    A forked process has only the thread that forked it, but it takes OpenCV's pool of threads for alive. So the pool
    is shut while workers start; they keep that setting. The warning of Python 3.12 about forking beside threads is
    answered with that: neither OpenCV nor torch starts a thread in a worker. And how many workers there are is for the
    config to say: torch's advice about it is left out. Signals wait until a worker can answer them: it inherits that.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    _hold_signals(True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This DataLoader will create .* worker processes", UserWarning)
            warnings.filterwarnings("ignore", "This process .* is multi-threaded, use of fork", DeprecationWarning)
            yield
    finally:
        cv2.setNumThreads(threads)
        _hold_signals(False)


def _hold_signals(hold: bool) -> None:
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        how = signal.SIG_BLOCK if hold else signal.SIG_UNBLOCK
        signal.pthread_sigmask(how, {signal.SIGINT, signal.SIGTERM})


def _set_up_worker(worker: int) -> None:
    """The images of a batch are prepared side by side by the workers: each needs one thread.

    Ctrl-C reaches every process of a terminal, and a job scheduler's SIGTERM every process of the job. What they mean
    is for the training process to decide, which ends its workers when it ends. A worker that SIGTERM was for alone, or
    that is forgotten, ends a little later.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):  # not on Windows, which has no SIGTERM either
        signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(_LAST_SECONDS))
    _hold_signals(False)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    if hasattr(os, "nice"):  # not on Windows
        os.nice(_PATIENCE)
