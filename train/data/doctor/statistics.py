"""Figures of a set: how many objects of which class, how large, where."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.train.data.coco import CocoDataset
from fusedet.train.data.doctor.source import Object, Split

#: Cells of the map of places in each direction.
CELLS = 24


@dataclass(frozen=True)
class Statistics:
    """Of one set."""

    split: str
    images: int  # how many
    per_class: dict[str, int]  # class name -> boxes, the most frequent first
    per_image: NDArray[np.int64]  # [images]: boxes in each
    boxes_wh: NDArray[np.float64]  # [boxes, 2] in pixels of their image, which must say its size
    letterboxed: NDArray[np.float64]  # [boxes]: shorter side in pixels of the network's input
    relative: NDArray[np.float64]  # [boxes]: square root of box area over image area
    places: NDArray[np.float64]  # [CELLS, CELLS]: share of the boxes whose middle lies there, rows from the top
    crowd: int  # regions of many objects, counted apart

    @property
    def boxes(self) -> int:
        """How many, without crowd regions."""
        return len(self.boxes_wh)

    def as_dict(self) -> dict[str, Any]:
        """The figures for a JSON file."""
        quartiles = [5, 25, 50, 75, 95]
        return {
            "images": self.images,
            "images_without_boxes": int((self.per_image == 0).sum()),
            "boxes": self.boxes,
            "crowd_regions": self.crowd,
            "boxes_per_class": self.per_class,
            "percentiles": quartiles,
            "side_at_input_px": _percentiles(self.letterboxed, quartiles),
            "relative_size": _percentiles(self.relative, quartiles),
            "boxes_per_image": _percentiles(self.per_image, quartiles),
        }


def measure(split: Split, input_size: tuple[int, int]) -> Statistics:
    """The figures of a set at an ``input_size`` (height, width) in pixels.

    Boxes without an area, and those wholly outside their image, do not count.
    """
    per_class = Counter({category.name: 0 for category in split.categories if category.name is not None})
    per_image, boxes, images_wh, crowd = [], list[Sequence[float]](), [], 0
    for image in split.images:
        usable = [(thing, box) for thing in image.objects if (box := _usable_box(thing, image.size_wh)) is not None]
        objects = [(thing, box) for thing, box in usable if not thing.crowd]
        crowd += len(usable) - len(objects)
        per_image.append(len(objects))
        per_class.update(t.category.name for t, _ in objects if t.category is not None and t.category.name is not None)
        if image.size_wh is not None:
            boxes += [box for _, box in objects]
            images_wh += [image.size_wh] * len(objects)
    return _statistics(split.name, per_class, per_image, boxes, images_wh, crowd, input_size)


def _usable_box(thing: Object, size_wh: tuple[int, int] | None) -> Sequence[float] | None:
    if thing.box_xywh is None:
        return None
    x, y, width, height = thing.box_xywh
    outside = size_wh is not None and (x >= size_wh[0] or y >= size_wh[1] or x + width <= 0 or y + height <= 0)
    return None if outside or width <= 0 or height <= 0 else thing.box_xywh


def measure_dataset(name: str, dataset: CocoDataset, input_size: tuple[int, int]) -> Statistics:
    """The figures of a set as training reads it, under ``name``; ``input_size`` as in :func:`measure`."""
    per_class = Counter(dict.fromkeys(dataset.names, 0))
    per_image, boxes, images_wh = [], [], []
    for sample in dataset.samples:
        own = sample.boxes_xyxy[~sample.crowd].astype(float)
        own[:, 2:] -= own[:, :2]  # xyxy -> xywh
        per_class.update(dataset.names[label] for label in sample.labels[~sample.crowd])
        per_image.append(len(own))
        boxes += own.tolist()
        images_wh += [(sample.width, sample.height)] * len(own)
    crowd = sum(int(sample.crowd.sum()) for sample in dataset.samples)
    return _statistics(name, per_class, per_image, boxes, images_wh, crowd, input_size)


def _statistics(
    name: str,
    per_class: Counter[str],
    per_image: Sequence[int],
    boxes_xywh: Sequence[Sequence[float]],
    images_wh: Sequence[tuple[int, int]],
    crowd: int,
    input_size: tuple[int, int],
) -> Statistics:
    """Figures of boxes, each with the size of its image."""
    xywh, wh = np.array(boxes_xywh, np.float64).reshape(-1, 4), np.array(images_wh, np.float64).reshape(-1, 2)
    scale = np.minimum(1.0, np.array(input_size[::-1]) / np.maximum(wh, 1)).min(1) if len(wh) else np.zeros(0)
    middles = ((xywh[:, :2] + xywh[:, 2:] / 2) / np.maximum(wh, 1)).clip(0, 1 - 1e-9)
    places, _, _ = np.histogram2d(middles[:, 1], middles[:, 0], bins=CELLS, range=((0, 1), (0, 1)))
    return Statistics(
        split=name,
        images=len(per_image),
        per_class=dict(per_class.most_common()),
        per_image=np.array(per_image, np.int64),
        boxes_wh=xywh[:, 2:],
        letterboxed=xywh[:, 2:].min(1, initial=np.inf) * scale,
        relative=np.sqrt(xywh[:, 2:].prod(1) / np.maximum(wh.prod(1), 1)),
        places=places / max(1, len(xywh)),
        crowd=crowd,
    )


def _percentiles(values: NDArray[Any], which: list[int]) -> list[float]:
    return [round(float(value), 4) for value in np.percentile(values, which)] if len(values) else []
