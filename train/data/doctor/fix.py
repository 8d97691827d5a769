"""A repaired copy of a data set: what a finding names is mended or left out, and written down.

Each kind of finding has its own small repair below. They work on copies of the entries; the files of the original are
only read. ``KINDS`` says in words what each repair does.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fusedet.common.text import counted
from fusedet.train.data.coco import is_number
from fusedet.train.data.doctor.check import Report
from fusedet.train.data.doctor.finding import Finding
from fusedet.train.data.doctor.repair import Case, Patient, number_anew
from fusedet.train.data.doctor.source import Split

__all__ = ["Action", "repair"]


class Action(NamedTuple):
    """What was done about a finding."""

    finding: Finding
    did: str


def repair(report: Report) -> tuple[list[Patient], list[Action]]:
    """Mends what can be mended.

    Args:
        report: of all rules, with the images opened.

    Returns:
        The splits of the copy, and what was done, finding by finding.
    """
    patients = {split.name: Patient(split) for split in report.splits}
    looks = {(seen.split.name, seen.image.position): seen for seen in report.looks}
    actions = []
    by_kind = report.by_kind()
    for kind, mend in _REPAIRS.items():
        for finding in by_kind.get(kind, []):
            did = mend(Case(finding, patients[finding.split], patients, looks))
            if did:
                actions.append(Action(finding, did))
    for patient in patients.values():
        number_anew(patient)
    return list(patients.values()), actions


_Repair = Callable[[Case], str]


def _drop_picture(case: Case) -> str:
    if case.patient.images.pop(case.at, None) is None:
        return ""
    lost = len(case.image.objects)
    return f"left the picture out{f' with {lost} annotations' if lost else ''}"


def _drop_object(case: Case) -> str:
    case.patient.objects.pop(case.at, None)
    return "left the annotation out"


def _of_living(mend: _Repair) -> _Repair:
    """A repair of what is still there."""
    return lambda case: "" if case.gone else mend(case)


def _drop_entry(case: Case) -> str:
    return "left the entry out"


def _name_class(case: Case) -> str:
    category = next(c for c in case.patient.split.categories if c.position == case.at)
    case.patient.classes[case.at] = name = f"class {category.raw.get('id')}"
    return f"called it {name!r}"


def _drop_class(case: Case) -> str:
    name = case.patient.classes.pop(case.at, None)
    return f"left the category {name!r} out" if name else ""


def _new_id(case: Case) -> str:
    return "gave it another id"


def _number_meant(case: Case) -> str:
    return "took the number that is meant"


def _one_list(case: Case) -> str:
    return "gave all sets the same list of classes"


def _merge(case: Case) -> str:
    """Both entries name one file: its objects go to the first."""
    assert case.finding.other is not None
    first = case.finding.other[1]
    if first not in case.patient.images or case.at not in case.patient.images:
        return ""
    del case.patient.images[case.at]
    case.patient.moved[case.at] = first
    return f"gave its {len(case.image.objects)} annotations to image {case.patient.images[first].get('id')}"


def _keep_one(case: Case) -> str:
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


def _leave_leak_out(case: Case) -> str:
    """The image stays in the validation set."""
    assert case.finding.other is not None
    name, first = case.finding.other
    drop, at = (
        (case.patients[name], first) if case.finding.split != "train" and name == "train" else (case.patient, case.at)
    )
    if drop.images.pop(at, None) is None:
        return ""
    return f"left it out of {drop.split.name}"


def _drop_both(case: Case) -> str:
    """Nobody knows whose the boxes are."""
    assert case.finding.other is not None
    first = case.patient.by_position[case.finding.other[1]]
    case.patient.images.pop(first.position, None)
    case.patient.images.pop(case.at, None)
    return f"left it and {first.file_name} out, and {len(first.objects)} annotations that may be of either"


def _size_of_file(case: Case) -> str:
    seen = case.looks.get((case.finding.split, case.at))
    if seen is None or seen.fault:
        return _drop_picture(case)
    width, height = seen.size_wh  # as it is stored, which is how training reads it
    boxes = [thing.box_xywh for thing in case.image.objects if thing.box_xywh is not None]
    if case.finding.kind == "wrong-size" and any(x + w > width + 1 or y + h > height + 1 for x, y, w, h in boxes):
        return _drop_picture(case) + ": boxes lie outside of the file's picture"
    case.patient.images[case.at].update(width=width, height=height)
    return f"wrote the file's size, {width}x{height}"


def _turn_picture(case: Case) -> str:
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
    return f"turned the picture and its {counted(len(case.image.objects), 'box', 'boxes')}"


def _turned(box_xywh: list[float], size_wh: tuple[int, int], orientation: int) -> list[float]:
    """A box of the stored image in the upright one, for the EXIF orientations 5 to 8, which change the sides."""
    x, y, width, height = box_xywh
    right, below = size_wh[0] - x - width, size_wh[1] - y - height
    left, top = {5: (y, x), 6: (below, x), 7: (below, right), 8: (y, right)}[orientation]
    return [left, top, height, width]


def _read_numbers(case: Case) -> str:
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


def _box_of_segmentation(case: Case) -> str:
    polygons = case.thing.raw.get("segmentation")
    numbers = [n for p in polygons if isinstance(p, list) for n in p] if isinstance(polygons, list) else []
    if len(numbers) < 6 or len(numbers) % 2 or not all(is_number(n) for n in numbers):
        return _drop_object(case) + ": its segmentation is no polygon"
    points = np.array(numbers, np.float64).reshape(-1, 2)
    low, high = points.min(0), points.max(0)
    case.patient.objects[case.at]["bbox"] = [*low.tolist(), *(high - low).tolist()]
    return f"drew the box {case.patient.objects[case.at]['bbox']} around the segmentation"


def _to_pixels(case: Case) -> str:
    """From parts of the image to pixels; YOLO's boxes have their middle first, which all of a set shows."""
    width, height = case.patient.size(case.at)
    x, y, w, h = case.patient.box(case.at)
    if _middles_first(case.patient.split):
        x, y = x - w / 2, y - h / 2
    case.patient.objects[case.at]["bbox"] = [x * width, y * height, w * width, h * height]
    return f"multiplied by {width}x{height}"


def _middles_first(split: Split) -> bool:
    """Whether normalised boxes leave the image if their first two numbers are a corner, but not as a middle."""
    boxes = [t.box_xywh for t in split.objects if t.box_xywh is not None and max(t.box_xywh) <= 1]
    as_corner = sum(x + w > 1.001 or y + h > 1.001 for x, y, w, h in boxes)
    as_middle = sum(min(x - w / 2, y - h / 2) < -0.001 or max(x + w / 2, y + h / 2) > 1.001 for x, y, w, h in boxes)
    return as_middle < as_corner


def _from_corners(case: Case) -> str:
    left, top, right, bottom = case.patient.box(case.at)
    case.patient.objects[case.at]["bbox"] = [left, top, right - left, bottom - top]
    return "subtracted the corners"


def _swap_sides(case: Case) -> str:
    x, y, width, height = case.patient.box(case.at)
    if not width or not height:
        return _drop_object(case)
    box = [min(x, x + width), min(y, y + height), abs(width), abs(height)]
    case.patient.objects[case.at]["bbox"] = box
    return _cut_at_border(case, f"swapped its sides: {box}")


def _cut_at_border(case: Case, before: str = "") -> str:
    size = case.patient.size(case.at)
    x, y, width, height = case.patient.box(case.at)
    left, top, right, bottom = max(0.0, x), max(0.0, y), min(size[0], x + width), min(size[1], y + height)
    if right <= left or bottom <= top:
        return _drop_object(case)
    box = [left, top, right - left, bottom - top]
    if box == [x, y, width, height]:  # the image's size was wrong, not the box
        return before or f"lies inside of the file's {size[0]}x{size[1]}"
    case.patient.objects[case.at]["bbox"] = box
    return before or f"cut it at the border of {size[0]}x{size[1]}"


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
