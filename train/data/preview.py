"""Sheets of labelled images: as they are in the files, and as the network sees them in training."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.drawing.draw import class_color, draw_boxes
from fusedet.train.config import TrainConfig
from fusedet.train.data.coco import CocoDataset, Sample
from fusedet.train.data.contact_sheet import contact_sheet, fit
from fusedet.train.data.image_cache import load_image

#: Colour of regions to ignore, in BGR.
_IGNORED = (150, 150, 150)


def choose_samples(dataset: CocoDataset, count: int, seed: int, class_name: str | None = None) -> list[Sample]:
    """Some images of a set, at random, in the order of the file; only those with an object of a class if named."""
    label = None if class_name is None else dataset.names.index(class_name)
    fitting = [s for s in dataset.samples if label is None or (s.labels[~s.crowd] == label).any()]
    if len(fitting) <= count:
        return fitting
    chosen = np.random.default_rng(seed).choice(len(fitting), count, replace=False)
    return [fitting[i] for i in sorted(chosen)]


def labelled_sheet(samples: Sequence[Sample], names: Sequence[str], side: int) -> NDArray[np.uint8]:
    """The images with their boxes and class names, uint8 BGR. Raises InputError if one is not as annotated."""
    tiles, captions = [], []
    for sample in samples:
        tile, _ = fit(load_image(sample), side)
        zoom = np.tile(np.divide(tile.shape[1::-1], (sample.width, sample.height)), 2)
        labels = np.where(sample.crowd, -1, sample.labels).tolist()
        tiles.append(_labelled(tile, (sample.boxes_xyxy * zoom).astype(np.float32), labels, names))
        captions.append(sample.path.name)
    return contact_sheet(tiles, captions, side)


def augmented_sheet(dataset: CocoDataset, config: TrainConfig, count: int, seed: int, side: int) -> NDArray[np.uint8]:
    """The first images that a training with ``config`` would show its network, uint8 BGR.

    They are made of a few of the set's images, for a training reads them all before it begins. Raises InputError if an
    image cannot be read or is not the annotated one.
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
        tiles.append(_labelled(tile, boxes[there] * np.float32(scale), shown, dataset.names))
    return contact_sheet(tiles, [by_id[int(image_id)] for image_id in batch.image_ids], side)


def _labelled(
    tile: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32], labels: Sequence[int], names: Sequence[str]
) -> NDArray[np.uint8]:
    """A copy with boxes and class names, the largest first; regions to ignore, whose label is below 0, are grey."""
    largest_first = np.argsort(-(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(1), kind="stable")
    own = [labels[i] for i in largest_first]
    texts = [names[label] if label >= 0 else "ignored" for label in own]
    colors = [class_color(label) if label >= 0 else _IGNORED for label in own]
    return draw_boxes(tile, boxes_xyxy[largest_first], texts, colors, every_text=False)
