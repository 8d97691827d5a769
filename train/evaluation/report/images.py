"""Images for the report: what is annotated and what was found, side by side."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from fusedet.deploy.drawing.thumbnail import Box, Thumbnail, small_jpeg, thumbnail
from fusedet.train.data.image_cache import load_annotated
from fusedet.train.evaluation.matching import IGNORED, Judged

#: Over images the colours are those of the light page, whatever the page's own.
COLORS = {"good": "#1a9c58", "warn": "#c77700", "bad": "#d62f25", "quiet": "#7a8594"}


class ImagePair(NamedTuple):
    """An image twice: its objects, and its detections."""

    name: str
    objects: Thumbnail
    detections: Thumbnail
    object_count: int
    verdict: str


def best_and_worst(judged: Iterable[Judged], worst: int = 6, best: int = 3) -> tuple[list[Judged], list[Judged]]:
    """The images without an error that have the most objects, and those with the most errors, in that order."""
    listed = list(judged)
    wrong = sorted((one for one in listed if one.errors), key=lambda one: -one.errors)
    right = [one for one in listed if not one.errors and (one.right >= 0).any()]
    right.sort(key=lambda one: (-int((one.right >= 0).sum()), -float(one.found.scores.min())))
    return right[:best], wrong[:worst]


def image_pair(judged: Judged) -> ImagePair:
    """Objects and detections of an image, over the same small copy of it. Raises InputError if it cannot be read."""
    sample = judged.sample
    size = sample.width, sample.height
    source = small_jpeg(load_annotated(sample))
    return ImagePair(
        sample.path.name,
        thumbnail(source, size, _objects(judged)),
        thumbnail(source, size, _detections(judged)),
        int((~sample.crowd).sum()),
        _verdict(judged),
    )


def _verdict(judged: Judged) -> str:
    counts = [
        (int((judged.right >= 0).sum()), "right"),
        (int((judged.confused >= 0).sum()), "as another class"),
        (int(judged.missed.sum()), "missed"),
        (int(judged.false_alarms.sum()), "false"),
    ]
    return ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing"


def _objects(judged: Judged) -> list[Box]:
    sample, missed = judged.sample, judged.missed
    confused = set(judged.confused[judged.confused >= 0].tolist())
    boxes = []
    for i, class_id in enumerate(sample.labels):
        name = judged.found.names[class_id]
        if sample.crowd[i]:
            boxes.append(_box(sample.boxes_xyxy[i], f"{name} (ignored)", "quiet"))
        else:
            boxes.append(_box(sample.boxes_xyxy[i], name, "bad" if missed[i] else "warn" if i in confused else "good"))
    return boxes


def _detections(judged: Judged) -> list[Box]:
    found, false = judged.found, judged.false_alarms
    boxes = []
    for i in np.argsort(found.scores, kind="stable"):  # the best lie on top
        kind = "bad" if false[i] else "warn" if judged.confused[i] >= 0 else "good"
        if judged.right[i] == IGNORED:
            kind = "quiet"
        boxes.append(_box(found.boxes_xyxy[i], f"{found.names[found.class_ids[i]]} {found.scores[i]:.2f}", kind))
    return boxes


def _box(box_xyxy: np.ndarray, text: str, kind: str) -> Box:
    return Box(box_xyxy, text, COLORS[kind], kind in ("bad", "warn"))
