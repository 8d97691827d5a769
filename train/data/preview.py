"""Sheets of labelled images: as they are in the files, and as the network sees them in training."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fusedet.train.config import TrainConfig
from fusedet.train.data.coco import CocoDataset, Sample
from fusedet.train.data.contact_sheet import contact_sheet, draw_labels, fit
from fusedet.train.data.image_cache import load_image


def choose_samples(dataset: CocoDataset, count: int, seed: int, class_name: str | None = None) -> list[Sample]:
    """Some images of a set, at random, in the order of the file; only those with an object of a class if named."""
    label = None if class_name is None else dataset.names.index(class_name)
    fitting = [s for s in dataset.samples if label is None or (s.labels[~s.crowd] == label).any()]
    if len(fitting) <= count:
        return fitting
    chosen = np.random.default_rng(seed).choice(len(fitting), count, replace=False)
    return [fitting[i] for i in sorted(chosen)]


def labelled_sheet(samples: Sequence[Sample], names: Sequence[str], side: int) -> NDArray[np.uint8]:
    """The images with their boxes and class names, uint8 BGR.

    Raises:
        InputError: an image cannot be read or is not the annotated one.
    """
    tiles, captions = [], []
    for sample in samples:
        tile, _ = fit(load_image(sample), side)
        zoom = np.tile(np.divide(tile.shape[1::-1], (sample.width, sample.height)), 2)
        labels = np.where(sample.crowd, -1, sample.labels).tolist()
        draw_labels(tile, (sample.boxes_xyxy * zoom).astype(np.float32), labels, names)
        tiles.append(tile)
        captions.append(sample.path.name)
    return contact_sheet(tiles, captions, side)


def augmented_sheet(dataset: CocoDataset, config: TrainConfig, count: int, seed: int, side: int) -> NDArray[np.uint8]:
    """The first images that a training with ``config`` would show its network, uint8 BGR.

    They are made of a few of the set's images, for a training reads them all before it begins.

    Raises:
        InputError: an image cannot be read or is not the annotated one.
    """
    from fusedet.train.data.dataset import PADDING, build_train_loader  # needs torch

    some = replace(dataset, samples=tuple(choose_samples(dataset, 4 * count, seed)))
    data = config.data.model_copy(update={"workers": 0})
    loader = build_train_loader(some, config.model.input_size, config.augment, data, count, seed)
    mosaic = config.train.epochs > config.augment.close_epochs
    batch = next(iter(loader.epoch(0, mosaic)))
    by_id = {sample.image_id: sample.path.name for sample in some.samples}
    tiles = []
    for image, boxes, labels in zip(batch.images.numpy(), batch.boxes.numpy(), batch.labels.numpy(), strict=True):
        tile, scale = fit(image, side)
        there = labels != PADDING
        shown = np.maximum(labels[there], -1).tolist()
        draw_labels(tile, boxes[there] * np.float32(scale), shown, dataset.names)
        tiles.append(tile)
    return contact_sheet(tiles, [by_id[int(image_id)] for image_id in batch.image_ids], side)
