"""A repaired copy of a data set: what a finding names is mended or left out, and written down.

Each kind of finding has its own small repair below. They work on copies of the entries; the files of the original are
only read. ``KINDS`` says in words what each repair does.
"""

import copy
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fusedet.train.coco import is_number, is_whole
from fusedet.train.doctor.check import Report
from fusedet.train.doctor.finding import Finding
from fusedet.train.doctor.source import Image, Object, Split

__all__ = ["Action", "Patient", "repair"]


class Action(NamedTuple):
    """What was done about a finding."""

    finding: Finding
    did: str


class Patient:
    """A split under repair.

    Attributes:
        split: as it is; nothing here changes it.
        images: position -> the entry of the copy; an entry that is left out is not in it.
        objects: position -> the annotation of the copy.
        classes: position of a category -> its name in the copy.
        turns: position of an image -> EXIF orientation by which its picture is turned in the copy.
        moved: position of an image -> position of the image that takes its objects.
        kept: position of an image that was left out as a copy -> position of the copy that stays.
    """

    def __init__(self, split: Split) -> None:
        self.split = split
        self.by_position = {image.position: image for image in split.pictures}
        self.things = {thing.position: thing for thing in split.objects}
        self.images = {p: copy.deepcopy(image.raw) for p, image in self.by_position.items()}
        self.objects = {p: copy.deepcopy(t.raw) for p, t in self.things.items() if t.image and t.category}
        self.classes = {c.position: c.name for c in split.categories if c.name is not None}
        self.turns: dict[int, int] = {}
        self.moved: dict[int, int] = {}
        self.kept: dict[int, int] = {}

    def box(self, position: int) -> list[float]:
        """The box of an annotation of the copy."""
        return [float(side) for side in self.objects[position]["bbox"]]

    def size(self, position: int) -> tuple[int, int]:
        """Annotated size of the picture that an annotation belongs to."""
        image = self.things[position].image
        assert image is not None
        entry = self.images[image.position]
        return int(entry["width"]), int(entry["height"])

    def lives(self, thing: Object) -> bool:
        """Whether an annotation and its picture are in the copy."""
        return thing.position in self.objects and thing.image is not None and thing.image.position in self.images


def repair(report: Report) -> tuple[list[Patient], list[Action]]:
    """Mends what can be mended.

    Args:
        report: of all rules, with the pictures opened.

    Returns:
        The splits of the copy, and what was done, finding by finding.
    """
    patients = {split.name: Patient(split) for split in report.splits}
    sizes = {(seen.split.name, seen.image.position): seen for seen in report.looks}
    actions = []
    by_kind = report.by_kind()
    for kind, mend in _REPAIRS.items():
        for finding in by_kind.get(kind, []):
            did = mend(_Case(finding, patients[finding.split], patients, sizes))
            if did:
                actions.append(Action(finding, did))
    for patient in patients.values():
        _number(patient)
    return list(patients.values()), actions


class _Case(NamedTuple):
    """A finding with what a repair needs: the split it is in, all splits, and the pictures by split and position."""

    finding: Finding
    patient: Patient
    patients: dict[str, Patient]
    looks: dict[tuple[str, int], Any]

    @property
    def at(self) -> int:
        assert self.finding.position is not None
        return self.finding.position

    @property
    def image(self) -> Image:
        return self.patient.by_position[self.at]

    @property
    def thing(self) -> Object:
        return self.patient.things[self.at]

    @property
    def gone(self) -> bool:
        """Whether another repair left it out already."""
        patient, section = self.patient, self.finding.section
        if section == "annotations":
            return self.at in patient.things and not patient.lives(self.thing)
        return section == "images" and self.at in patient.by_position and self.at not in patient.images


_Repair = Callable[[_Case], str]


def _drop_picture(case: _Case) -> str:
    if case.patient.images.pop(case.at, None) is None:
        return ""
    lost = len(case.image.objects)
    return f"left the picture out{f' with {lost} annotations' if lost else ''}"


def _drop_object(case: _Case) -> str:
    case.patient.objects.pop(case.at, None)
    return "left the annotation out"


def _of_living(mend: _Repair) -> _Repair:
    """A repair of what is still there."""
    return lambda case: "" if case.gone else mend(case)


def _drop_entry(case: _Case) -> str:
    return "left the entry out"


def _name_class(case: _Case) -> str:
    category = next(c for c in case.patient.split.categories if c.position == case.at)
    case.patient.classes[case.at] = name = f"class {category.raw.get('id')}"
    return f"called it {name!r}"


def _drop_class(case: _Case) -> str:
    name = case.patient.classes.pop(case.at, None)
    return f"left the category {name!r} out" if name else ""


def _new_id(case: _Case) -> str:
    return "gave it another id"


def _number_meant(case: _Case) -> str:
    return "took the number that is meant"


def _one_list(case: _Case) -> str:
    return "gave all sets the same list of classes"


def _merge(case: _Case) -> str:
    """Both entries name one file: its objects go to the first."""
    assert case.finding.other is not None
    first = case.finding.other[1]
    if first not in case.patient.images or case.at not in case.patient.images:
        return ""
    del case.patient.images[case.at]
    case.patient.moved[case.at] = first
    return f"gave its {len(case.image.objects)} annotations to image {case.patient.images[first].get('id')}"


def _keep_one(case: _Case) -> str:
    """Of two copies in one set, the one with more objects stays."""
    assert case.finding.other is not None
    patient, first = case.patient, case.finding.other[1]
    first = patient.kept.get(first, first)
    if first not in patient.images:
        return ""
    drop, keep = case.at, first
    if len(patient.by_position[first].objects) < len(case.image.objects):
        drop, keep = keep, drop
    del patient.images[drop]
    patient.kept[drop] = keep
    return f"left {patient.by_position[drop].file_name} out"


def _leave_leak_out(case: _Case) -> str:
    """The picture stays in the set to grade on."""
    assert case.finding.other is not None
    name, first = case.finding.other
    drop, at = (
        (case.patients[name], first) if case.finding.split != "train" and name == "train" else (case.patient, case.at)
    )
    if drop.images.pop(at, None) is None:
        return ""
    return f"left it out of {drop.split.name}"


def _drop_both(case: _Case) -> str:
    """Nobody knows whose the boxes are."""
    assert case.finding.other is not None
    first = case.patient.by_position[case.finding.other[1]]
    case.patient.images.pop(first.position, None)
    case.patient.images.pop(case.at, None)
    return f"left it and {first.file_name} out, and {len(first.objects)} annotations that may be of either"


def _size_of_file(case: _Case) -> str:
    seen = case.looks.get((case.finding.split, case.at))
    if seen is None or seen.fault:
        return _drop_picture(case)
    width, height = seen.size_wh  # as it is stored, which is how training reads it
    boxes = [thing.box_xywh for thing in case.image.objects if thing.box_xywh is not None]
    if case.finding.kind == "wrong-size" and any(x + w > width + 1 or y + h > height + 1 for x, y, w, h in boxes):
        return _drop_picture(case) + ": boxes lie outside of the file's picture"
    case.patient.images[case.at].update(width=width, height=height)
    return f"wrote the file's size, {width}x{height}"


def _turn_picture(case: _Case) -> str:
    seen = case.looks[case.finding.split, case.at]
    case.patient.turns[case.at] = seen.header.orientation
    entry, (width, height) = case.patient.images[case.at], seen.size_wh[::-1]
    # Boxes are in pixels of the annotated size, which may be another than the file's, of the same shape.
    said = case.image.size_wh
    assert said is not None
    if case.finding.kind == "exif-turned":
        return f"saved the picture turned, {width}x{height}"
    entry["width"], entry["height"] = said[1], said[0]
    for thing in case.image.objects:
        if case.patient.lives(thing):
            raw = case.patient.objects[thing.position]
            raw["bbox"] = _turned(case.patient.box(thing.position), said, seen.header.orientation)
            raw.pop("segmentation", None)
    return f"turned the picture and its {len(case.image.objects)} boxes"


def _turned(box_xywh: list[float], size_wh: tuple[int, int], orientation: int) -> list[float]:
    """A box of the stored picture in the upright one, for the EXIF orientations 5 to 8, which change the sides."""
    x, y, width, height = box_xywh
    right, below = size_wh[0] - x - width, size_wh[1] - y - height
    left, top = {5: (y, x), 6: (below, x), 7: (below, right), 8: (y, right)}[orientation]
    return [left, top, height, width]


def _read_numbers(case: _Case) -> str:
    value = case.thing.raw.get("bbox")
    parts = value if isinstance(value, list) else []
    try:
        numbers = [float(part) for part in parts if isinstance(part, str | int | float) and not isinstance(part, bool)]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or len(parts) != 4 or not all(is_number(n) and math.isfinite(n) for n in numbers):
        return _drop_object(case)
    case.patient.objects[case.at]["bbox"] = numbers
    return f"read it as {numbers}"


def _box_of_segmentation(case: _Case) -> str:
    polygons = case.thing.raw.get("segmentation")
    numbers = [n for p in polygons if isinstance(p, list) for n in p] if isinstance(polygons, list) else []
    if len(numbers) < 6 or len(numbers) % 2 or not all(is_number(n) for n in numbers):
        return _drop_object(case) + ": its segmentation is no polygon"
    points = np.array(numbers, np.float64).reshape(-1, 2)
    low, high = points.min(0), points.max(0)
    case.patient.objects[case.at]["bbox"] = [*low.tolist(), *(high - low).tolist()]
    return f"drew the box {case.patient.objects[case.at]['bbox']} around the segmentation"


def _to_pixels(case: _Case) -> str:
    """From parts of the picture to pixels; YOLO's boxes have their middle first, which all of a set shows."""
    width, height = case.patient.size(case.at)
    x, y, w, h = case.patient.box(case.at)
    if _middles_first(case.patient.split):
        x, y = x - w / 2, y - h / 2
    case.patient.objects[case.at]["bbox"] = [x * width, y * height, w * width, h * height]
    return f"multiplied by {width}x{height}"


def _middles_first(split: Split) -> bool:
    """Whether normalised boxes leave the picture if their first two numbers are a corner, but not as a middle."""
    boxes = [t.box_xywh for t in split.objects if t.box_xywh is not None and max(t.box_xywh) <= 1]
    as_corner = sum(x + w > 1.001 or y + h > 1.001 for x, y, w, h in boxes)
    as_middle = sum(min(x - w / 2, y - h / 2) < -0.001 or max(x + w / 2, y + h / 2) > 1.001 for x, y, w, h in boxes)
    return as_middle < as_corner


def _from_corners(case: _Case) -> str:
    left, top, right, bottom = case.patient.box(case.at)
    case.patient.objects[case.at]["bbox"] = [left, top, right - left, bottom - top]
    return "subtracted the corners"


def _swap_sides(case: _Case) -> str:
    x, y, width, height = case.patient.box(case.at)
    if not width or not height:
        return _drop_object(case)
    box = [min(x, x + width), min(y, y + height), abs(width), abs(height)]
    case.patient.objects[case.at]["bbox"] = box
    return _cut_at_border(case, f"swapped its sides: {box}")


def _cut_at_border(case: _Case, before: str = "") -> str:
    size = case.patient.size(case.at)
    x, y, width, height = case.patient.box(case.at)
    left, top, right, bottom = max(0.0, x), max(0.0, y), min(size[0], x + width), min(size[1], y + height)
    if right <= left or bottom <= top:
        return _drop_object(case)
    box = [left, top, right - left, bottom - top]
    if box == [x, y, width, height]:  # the picture's size was wrong, not the box
        return before or f"lies inside of the file's {size[0]}x{size[1]}"
    case.patient.objects[case.at]["bbox"] = box
    return before or f"cut it at the border of {size[0]}x{size[1]}"


def _clean_area(entry: dict[str, Any]) -> None:
    """The area is of the box where there is no segmentation to have one of its own."""
    box = entry["bbox"]
    if not entry.get("segmentation") or not is_number(entry.get("area")):
        entry["area"] = box[2] * box[3]


def _number(patient: Patient) -> None:
    """Whole, single, non-negative ids, and annotations that refer to them."""
    ids = _Ids(raw.get("id") for raw in patient.images.values())
    for position, raw in patient.images.items():
        raw["id"] = ids.take(raw.get("id"), patient.by_position[position].key)
    numbers = _Ids(raw.get("id") for raw in patient.objects.values())
    for position in list(patient.objects):
        thing = patient.things[position]
        assert thing.image is not None
        owner = patient.moved.get(thing.image.position, thing.image.position)
        if owner not in patient.images:
            del patient.objects[position]
            continue
        raw = patient.objects[position]
        raw["id"], raw["image_id"] = numbers.take(raw.get("id")), patient.images[owner]["id"]
        _clean_area(raw)


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


#: Kind -> its repair, in the order in which they must be applied.
_REPAIRS: dict[str, _Repair] = {
    "broken-entry": _drop_entry,
    "category-id": _number_meant,
    "category-id-repeated": _drop_class,
    "category-name": _name_class,
    "category-name-repeated": lambda case: "made one category of those of this name",
    "categories-differ": _one_list,
    "file-name": _drop_picture,
    "missing-file": _drop_picture,
    "empty-file": _drop_picture,
    "not-a-picture": _drop_picture,
    "truncated-picture": _drop_picture,
    "unreadable-picture": _drop_picture,
    "unlisted-file": lambda case: "left the file out",
    "image-id-repeated": _drop_both,
    "image-size": _of_living(_size_of_file),
    "wrong-size": _of_living(_size_of_file),
    "leak": _of_living(_leave_leak_out),
    "file-repeated": _of_living(_merge),
    "duplicate-picture": _of_living(_keep_one),
    "image-id": _of_living(_new_id),
    "annotation-id": _of_living(_new_id),
    "annotation-id-repeated": _of_living(_new_id),
    "negative-id": _of_living(_new_id),
    "text-reference": _of_living(_number_meant),
    "unknown-image": _drop_object,
    "unknown-category": _drop_object,
    "bad-score": _of_living(_drop_object),
    "no-box": _of_living(_drop_object),
    "segmentation-only": _of_living(_box_of_segmentation),
    "box-not-numbers": _of_living(_read_numbers),
    "normalised-box": _of_living(_to_pixels),
    "corner-box": _of_living(_from_corners),
    "empty-box": _of_living(_drop_object),
    "outside-box": _of_living(_cut_at_border),
    "duplicate-box": _of_living(_drop_object),
    "inverted-box": _of_living(_swap_sides),
    "overhanging-box": _of_living(_cut_at_border),
    "exif-turned": _of_living(_turn_picture),
    "exif-unturned": _of_living(_turn_picture),
}
