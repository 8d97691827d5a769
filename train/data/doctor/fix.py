"""A repaired copy of a data set: what a finding names is fixed or left out, and written down.

Each kind of finding has its own small repair below. They work on copies of the entries; the files of the original are
only read. ``KINDS`` says in words what each repair does.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from fusedet.common.text import counted
from fusedet.train.data.coco import is_number
from fusedet.train.data.doctor.check import Report
from fusedet.train.data.doctor.finding import Finding
from fusedet.train.data.doctor.repair import FixContext, RepairedSplit, number_anew, turn_boxes
from fusedet.train.data.doctor.source import Split
from fusedet.train.data.masks import box_of_segmentation


class Action(NamedTuple):
    """What was done about a finding."""

    finding: Finding
    did: str


def repair(report: Report) -> tuple[list[RepairedSplit], list[Action]]:
    """The splits of a copy in which is fixed what can be, and what was done; images must have been opened."""
    repaired_splits = {split.name: RepairedSplit(split) for split in report.splits}
    looks = {(seen.split.name, seen.image.position): seen for seen in report.looks}
    actions = []
    by_kind = report.by_kind()
    for kind, fix in _REPAIRS.items():
        for finding in by_kind.get(kind, []):
            did = fix(FixContext(finding, repaired_splits[finding.split], repaired_splits, looks))
            if did:
                actions.append(Action(finding, did))
    for repaired in repaired_splits.values():
        turn_boxes(repaired)
        number_anew(repaired)
    return list(repaired_splits.values()), actions


_Repair = Callable[[FixContext], str]


def _drop_image(context: FixContext) -> str:
    if context.repaired.images.pop(context.at, None) is None:
        return ""
    lost = len(context.image.objects)
    return f"left the image out{f' with {lost} annotations' if lost else ''}"


def _drop_object(context: FixContext) -> str:
    context.repaired.objects.pop(context.at, None)
    return "left the annotation out"


def _of_living(fix: _Repair) -> _Repair:
    """A repair of what is still there."""
    return lambda context: "" if context.gone else fix(context)


def _without_repair(did: str) -> _Repair:
    """What the copy has by itself: the sentence alone."""
    return lambda context: did


def _name_class(context: FixContext) -> str:
    category = next(c for c in context.repaired.split.categories if c.position == context.at)
    context.repaired.classes[context.at] = name = f"class {category.raw.get('id')}"
    return f"called it {name!r}"


def _drop_class(context: FixContext) -> str:
    name = context.repaired.classes.pop(context.at, None)
    return f"left the category {name!r} out" if name else ""


def _merge(context: FixContext) -> str:
    """Both entries name one file: its objects go to the first."""
    assert context.finding.other is not None
    first = context.finding.other[1]
    if first not in context.repaired.images or context.at not in context.repaired.images:
        return ""
    del context.repaired.images[context.at]
    context.repaired.moved[context.at] = first
    context.repaired.twins.add(context.at)
    return (
        f"gave its {len(context.image.objects)} annotations to image {context.repaired.images[first].get('id')!s:.60}"
    )


def _keep_one(context: FixContext) -> str:
    """Of two copies in one set, the one with more objects stays."""
    assert context.finding.other is not None
    repaired, first = context.repaired, context.finding.other[1]
    first = repaired.kept.get(first, first)
    if first not in repaired.images:
        return ""
    drop, keep = context.at, first
    if len(repaired.by_position[first].objects) < len(context.image.objects):
        drop, keep = keep, drop
    del repaired.images[drop]
    repaired.kept[drop] = keep
    repaired.twins.add(drop)
    return f"left {repaired.by_position[drop].file_name} out"


def _leave_leak_out(context: FixContext) -> str:
    """The image stays in the validation set."""
    assert context.finding.other is not None
    name, first = context.finding.other
    drop, at = (
        (context.repaired_splits[name], first)
        if context.finding.split != "train" and name == "train"
        else (context.repaired, context.at)
    )
    if drop.images.pop(at, None) is None:
        return ""
    drop.twins.add(at)
    return f"left it out of {drop.split.name}"


def _drop_both(context: FixContext) -> str:
    """Nobody knows whose the boxes are."""
    assert context.finding.other is not None
    first = context.repaired.by_position[context.finding.other[1]]
    context.repaired.images.pop(first.position, None)
    context.repaired.images.pop(context.at, None)
    return f"left it and {first.file_name} out, and {len(first.objects)} annotations that may be of either"


def _size_of_file(context: FixContext) -> str:
    seen = context.looks.get((context.finding.split, context.at))
    if seen is None or seen.fault:
        return _drop_image(context)
    width, height = seen.size_wh  # as it is stored, which is how training reads it
    boxes = [thing.box_xywh for thing in context.image.objects if thing.box_xywh is not None]
    if context.finding.kind == "wrong-size" and any(x + w > width + 1 or y + h > height + 1 for x, y, w, h in boxes):
        return _drop_image(context) + ": boxes lie outside of the file's image"
    context.repaired.images[context.at].update(width=width, height=height)
    return f"wrote the file's size, {width}x{height}"


def _turn_image(context: FixContext) -> str:
    """Marks it as one to be saved as it is shown; from now on its size is that of the image that the boxes are of."""
    seen, kind = context.looks[context.finding.split, context.at], context.finding.kind
    context.repaired.turns[context.at] = seen.header.orientation
    entry = context.repaired.images[context.at]
    # Boxes are in pixels of the annotated size, which may be another than the file's, of the same shape.
    if kind.startswith("exif-boxes") and seen.header.lying:
        entry["width"], entry["height"] = entry["height"], entry["width"]
    if kind in ("exif-turned", "exif-boxes-shown"):
        return "saved the image turned"
    context.repaired.stored.add(context.at)
    return f"turned the image and its {counted(len(context.image.objects), 'box', 'boxes')}"


def _read_numbers(context: FixContext) -> str:
    value = context.thing.raw.get("bbox")
    parts = value if isinstance(value, list) else []
    try:
        numbers = [float(part) for part in parts if isinstance(part, str | int | float) and not isinstance(part, bool)]
    except (ValueError, OverflowError):  # a text that is no number, or one that no float can hold
        numbers = []
    if len(numbers) != 4 or len(parts) != 4 or not all(is_number(n) and math.isfinite(n) for n in numbers):
        return _drop_object(context)
    context.repaired.objects[context.at]["bbox"] = numbers
    return f"read it as {numbers}"


def _box_around(context: FixContext) -> str:
    size = context.thing.image.size_wh if context.thing.image is not None else None
    box = box_of_segmentation(context.thing.raw.get("segmentation"), size)
    if context.finding.kind == "mask-size" and (box is None or context.image_lies):
        return _drop_object(context) + ": its mask is not of this image"
    if box is None:
        return _drop_object(context) + ": its segmentation is neither polygons nor a mask in runs"
    if box[2] <= 0 or box[3] <= 0:
        return _drop_object(context) + ": its segmentation has no area"
    context.repaired.objects[context.at]["bbox"] = box
    return f"drew the box {box} around the segmentation"


def _to_pixels(context: FixContext) -> str:
    """From parts of the image to pixels; YOLO's boxes have their middle first, which all of a set shows."""
    width, height = context.repaired.size(context.at)
    x, y, w, h = context.repaired.box(context.at)
    if _middles_first(context.repaired.split):
        x, y = x - w / 2, y - h / 2
    context.repaired.objects[context.at]["bbox"] = [x * width, y * height, w * width, h * height]
    return f"multiplied by {width}x{height}"


def _middles_first(split: Split) -> bool:
    """Whether normalised boxes leave the image if their first two numbers are a corner, but not as a middle."""
    boxes = [t.box_xywh for t in split.objects if t.box_xywh is not None and max(t.box_xywh) <= 1]
    as_corner = sum(x + w > 1.001 or y + h > 1.001 for x, y, w, h in boxes)
    as_middle = sum(min(x - w / 2, y - h / 2) < -0.001 or max(x + w / 2, y + h / 2) > 1.001 for x, y, w, h in boxes)
    return as_middle < as_corner


def _from_corners(context: FixContext) -> str:
    left, top, right, bottom = context.repaired.box(context.at)
    context.repaired.objects[context.at]["bbox"] = [left, top, right - left, bottom - top]
    return "subtracted the corners"


def _swap_sides(context: FixContext) -> str:
    x, y, width, height = context.repaired.box(context.at)
    if not width or not height:
        return _drop_object(context)
    box = [min(x, x + width), min(y, y + height), abs(width), abs(height)]
    context.repaired.objects[context.at]["bbox"] = box
    return _cut_at_border(context, f"swapped its sides: {box}")


def _cut_at_border(context: FixContext, before: str = "") -> str:
    size = context.repaired.size(context.at)
    x, y, width, height = context.repaired.box(context.at)
    left, top, right, bottom = max(0.0, x), max(0.0, y), min(size[0], x + width), min(size[1], y + height)
    if right <= left or bottom <= top:
        return _drop_object(context)
    box = [left, top, right - left, bottom - top]
    if box == [x, y, width, height]:  # the image's size was wrong, not the box
        return before or f"lies inside of the file's {size[0]}x{size[1]}"
    context.repaired.objects[context.at]["bbox"] = box
    return before or f"cut it at the border of {size[0]}x{size[1]}"


_new_id = _of_living(_without_repair("gave it another id"))
_number_meant = _without_repair("took the number that is meant")

#: Kind -> its repair, in the order in which they must be applied.
_REPAIRS: dict[str, _Repair] = {
    "broken-entry": _without_repair("left the entry out"),
    "category-id": _number_meant,
    "category-id-repeated": _drop_class,
    "category-name": _name_class,
    "category-name-repeated": _without_repair("made one category of those of this name"),
    "categories-differ": _without_repair("gave all sets the same list of classes"),
    **dict.fromkeys(("file-name", "missing-file", "empty-file", "not-a-image"), _drop_image),
    **dict.fromkeys(("truncated-image", "unreadable-image"), _drop_image),
    "other-path": _of_living(lambda context: f"took {context.repaired.split.file(context.image)}"),
    "unlisted-file": _without_repair("left the file out"),
    "image-id-repeated": _drop_both,
    **dict.fromkeys(("image-size", "wrong-size"), _of_living(_size_of_file)),
    **dict.fromkeys(("exif-turned", "exif-unturned"), _of_living(_turn_image)),
    **dict.fromkeys(("exif-boxes-shown", "exif-boxes-stored"), _of_living(_turn_image)),
    "leak": _of_living(_leave_leak_out),
    "file-repeated": _of_living(_merge),
    "duplicate-image": _of_living(_keep_one),
    **dict.fromkeys(("image-id", "annotation-id", "annotation-id-repeated", "negative-id"), _new_id),
    "text-reference": _of_living(_number_meant),
    **dict.fromkeys(("unknown-image", "unknown-category"), _drop_object),
    **dict.fromkeys(("bad-score", "no-box"), _of_living(_drop_object)),
    **dict.fromkeys(("segmentation-only", "mask-size"), _of_living(_box_around)),
    "box-not-numbers": _of_living(_read_numbers),
    "normalised-box": _of_living(_to_pixels),
    "corner-box": _of_living(_from_corners),
    "empty-box": _of_living(_drop_object),
    "outside-box": _of_living(_cut_at_border),
    "duplicate-box": _of_living(_drop_object),
    "inverted-box": _of_living(_swap_sides),
    "overhanging-box": _of_living(_cut_at_border),
}
