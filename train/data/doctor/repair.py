"""A data set under repair: copies of its entries, and the ids that they get in the end."""

import copy
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from fusedet.train.data.coco import is_number, is_whole
from fusedet.train.data.doctor.checks.images import Look
from fusedet.train.data.doctor.finding import Finding
from fusedet.train.data.doctor.source import Image, Object, Split


class RepairedSplit:
    """A split under repair; an entry that is left out is no longer in ``images`` or ``objects``."""

    def __init__(self, split: Split) -> None:
        self.split = split  # as it is; nothing here changes it
        self.by_position = {image.position: image for image in split.images}
        self.things = {thing.position: thing for thing in split.objects}
        # Position -> the entry of the copy, or the name of a class there.
        self.images = {p: copy.deepcopy(image.raw) for p, image in self.by_position.items()}
        self.objects = {p: copy.deepcopy(t.raw) for p, t in self.things.items() if t.image and t.category}
        self.classes = {c.position: c.name for c in split.categories if c.name is not None}
        # Positions of images.
        self.turns: dict[int, int] = {}  # -> EXIF orientation by which the image is turned in the copy
        self.stored: set[int] = set()  # those of them whose boxes are of the stored image, and are turned with it
        self.moved: dict[int, int] = {}  # -> position of the image that takes its objects
        self.kept: dict[int, int] = {}  # of one that was left out as a copy -> position of the copy that stays
        self.twins: set[int] = set()  # left out because the copy has them once more

    def box(self, position: int) -> list[float]:
        """The box of an annotation of the copy."""
        return [float(side) for side in self.objects[position]["bbox"]]

    def size(self, position: int) -> tuple[int, int]:
        """Annotated size of the image that an annotation belongs to."""
        image = self.things[position].image
        assert image is not None
        entry = self.images[image.position]
        return int(entry["width"]), int(entry["height"])

    def lives(self, thing: Object) -> bool:
        """Whether an annotation and its image are in the copy."""
        return thing.position in self.objects and thing.image is not None and thing.image.position in self.images


class FixContext(NamedTuple):
    """A finding with what a repair needs: the split it is in, all splits, and the images by split and position."""

    finding: Finding
    repaired: RepairedSplit
    repaired_splits: dict[str, RepairedSplit]
    looks: dict[tuple[str, int], Look]

    @property
    def at(self) -> int:
        """Position of the entry."""
        assert self.finding.position is not None
        return self.finding.position

    @property
    def image(self) -> Image:
        """The image that the finding is about."""
        return self.repaired.by_position[self.at]

    @property
    def thing(self) -> Object:
        """The annotation that the finding is about."""
        return self.repaired.things[self.at]

    @property
    def image_lies(self) -> bool:
        """Whether EXIF lays the annotation's image on a side."""
        image = self.thing.image
        seen = None if image is None else self.looks.get((self.finding.split, image.position))
        return seen is not None and seen.header.lying

    @property
    def gone(self) -> bool:
        """Whether another repair left it out already."""
        repaired, section = self.repaired, self.finding.section
        if section == "annotations":
            return self.at in repaired.things and not repaired.lives(self.thing)
        return section == "images" and self.at in repaired.by_position and self.at not in repaired.images


def turn_boxes(repaired: RepairedSplit) -> None:
    """Turns the boxes that are of the stored image; until then its size is that of the stored one, too."""
    for position in repaired.stored & repaired.images.keys():
        entry, orientation = repaired.images[position], repaired.turns[position]
        size = int(entry["width"]), int(entry["height"])
        if orientation >= 5:
            entry["width"], entry["height"] = size[::-1]
        for thing in repaired.by_position[position].objects:
            if repaired.lives(thing):
                raw = repaired.objects[thing.position]
                raw["bbox"] = _turned(repaired.box(thing.position), size, orientation)
                raw.pop("segmentation", None)


def _turned(box_xywh: list[float], size_wh: tuple[int, int], orientation: int) -> list[float]:
    """A box of the stored image in the one that an EXIF orientation from 2 to 8 shows."""
    x, y, width, height = box_xywh
    right, below = size_wh[0] - x - width, size_wh[1] - y - height
    if orientation < 5:
        left, top = {2: (right, y), 3: (right, below), 4: (x, below)}[orientation]
        return [left, top, width, height]
    left, top = {5: (y, x), 6: (below, x), 7: (below, right), 8: (y, right)}[orientation]
    return [left, top, height, width]


def number_anew(repaired: RepairedSplit) -> None:
    """Whole, single, non-negative ids, and annotations that refer to them."""
    ids = _Ids(raw.get("id") for raw in repaired.images.values())
    for position, raw in repaired.images.items():
        raw["id"] = ids.take(raw.get("id"), repaired.by_position[position].key)
    numbers = _Ids(raw.get("id") for raw in repaired.objects.values())
    for position in list(repaired.objects):
        thing = repaired.things[position]
        assert thing.image is not None
        owner = repaired.moved.get(thing.image.position, thing.image.position)
        if owner not in repaired.images:
            del repaired.objects[position]
            continue
        raw = repaired.objects[position]
        raw["id"], raw["image_id"] = numbers.take(raw.get("id")), repaired.images[owner]["id"]
        if not raw.get("segmentation") or not is_number(raw.get("area")):  # else the area may be the segmentation's
            raw["area"] = raw["bbox"][2] * raw["bbox"][3]


class _Ids:
    """Gives each entry its own id if it is a good one and free, else a new one that none has."""

    def __init__(self, values: Iterator[Any]) -> None:
        self._used: set[int] = set()
        least = 1 + max((int(v) for v in values if is_whole(v)), default=0)
        self._new = itertools.count(max(1, least))

    def take(self, value: object, meant: object = None) -> int:
        wish = int(value) if is_whole(value) else meant if isinstance(meant, int) else None
        if wish is None or wish < 0 or wish in self._used:
            wish = next(n for n in self._new if n not in self._used)
        self._used.add(wish)
        return wish
