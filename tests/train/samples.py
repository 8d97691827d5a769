"""Samples and detections by hand."""

from pathlib import Path

import numpy as np

from fusedet.deploy import Detections
from fusedet.train.data.coco import CocoDataset, Sample

NAMES = ("cat", "dog")


def sample(image_id: int, boxes, labels, crowd=None) -> Sample:
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Sample(
        image_id=image_id,
        path=Path(f"{image_id}.jpg"),
        width=200,
        height=100,
        boxes_xyxy=boxes,
        labels=np.array(labels, np.int64),
        crowd=np.zeros(len(boxes), bool) if crowd is None else np.array(crowd),
        areas=(boxes[:, 2:] - boxes[:, :2]).prod(1),
        scores=np.ones(len(boxes), np.float32),
    )


def dataset(*samples: Sample, names: tuple[str, ...] = NAMES) -> CocoDataset:
    return CocoDataset(names, tuple(3 + 14 * i for i in range(len(names))), samples, Path("val.json"))


def detections(boxes, scores, labels, names: tuple[str, ...] = NAMES) -> Detections:
    """In any order; the best come first in what is returned."""
    order = np.argsort(-np.array(scores), kind="stable")
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4)[order],
        np.array(scores, np.float32)[order],
        np.array(labels, np.int64)[order],
        names,
    )


def random_set(seed: int = 0, images: int = 40) -> tuple[CocoDataset, dict[int, Detections]]:
    """Random boxes, some of them crowds, with jittered, missing, doubled, misnamed and invented detections."""
    rng = np.random.default_rng(seed)
    samples, found = [], {}
    for image_id in rng.permutation(images):
        count = int(rng.integers(0, 6))
        low = rng.uniform(0, 60, (count, 2))
        boxes = np.concatenate((low, low + rng.uniform(8, 140, (count, 2))), 1)
        labels = rng.integers(0, 2, count)
        samples.append(sample(int(image_id), boxes, labels, rng.random(count) < 0.1))
        guesses = np.concatenate((boxes, boxes)) + rng.normal(0, 6, (2 * count, 4))
        guesses[:, 2:] = np.maximum(guesses[:, 2:], guesses[:, :2] + 1)  # boxes have an area, as the runtime's have
        names = np.where(rng.random(2 * count) < 0.2, 1 - np.tile(labels, 2), np.tile(labels, 2))
        kept = rng.random(2 * count) < 0.7
        found[int(image_id)] = detections(guesses[kept], rng.random(2 * count)[kept], names[kept])
    return dataset(*samples), found
