"""Rules of boxes: numbers, unit, form, place, and each object once."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fusedet.deploy.detector.boxes import box_iou
from fusedet.train.data.doctor.finding import Finding
from fusedet.train.data.doctor.source import Image, Object, Split
from fusedet.train.data.image_cache import same_shape
from fusedet.train.data.masks import box_of_segmentation, mask_of_another_shape

#: A box may hang over the border by so many pixels: tools round, and some count the last pixel twice.
OVERHANG_PX = 1.5
#: Two boxes of one class that overlap by more are one object.
SAME_BOX_IOU = 0.95
#: Boxes are corners where so many of a set, or of an image, fit as corners and so many leave the image otherwise.
_FIT_SHARE, _LEAVE_SHARE = 0.98, 0.25
_LEAST_OF_SET, _LEAST_OF_IMAGE, _LEAVE_SHARE_OF_IMAGE = 10, 3, 0.6

_BOX = "[x, y, width, height] in pixels"


def check_boxes(split: Split) -> Iterator[Finding]:
    """All rules of this file."""
    corners = corner_boxes(split)
    regions = 0
    for thing in split.objects:
        regions += thing.crowd
        if thing.box_xywh is None or _has_a_mask_alone(thing):
            yield _without_box(split, thing)
        elif thing.image is not None and thing.image.size_wh is not None:
            yield from _placed(split, thing, thing.image.size_wh, thing.position in corners)
    for image in split.images:
        yield from _on_each_other(split, image)
    if regions:
        yield split.about_all("crowd", "single objects", f"{regions} annotations with iscrowd 1")


def is_normalised(box_xywh: tuple[float, float, float, float]) -> bool:
    """Whether a box is in 0..1: inside one pixel at the image's corner, and not of whole numbers."""
    inside = all(0 <= side <= 1 for side in box_xywh)
    return inside and min(box_xywh[2:]) > 0 and any(side != int(side) for side in box_xywh)


def corner_boxes(split: Split) -> set[int]:
    """Positions of the boxes that are ``[left, top, right, bottom]``, by what most boxes of the set or image say.

    A single box may hang over the border. Where many do, and all of them would lie inside it as corners, they are.
    """
    by_image = [_verdicts(image, image.size_wh) for image in split.images if image.objects and image.size_wh]
    of_set = [verdict for verdicts in by_image for verdict in verdicts]
    if _are_corners(of_set, _LEAST_OF_SET, _LEAVE_SHARE):
        corners = of_set
    else:
        sure = (verdicts for verdicts in by_image if _are_corners(verdicts, _LEAST_OF_IMAGE, _LEAVE_SHARE_OF_IMAGE))
        corners = [verdict for verdicts in sure for verdict in verdicts]
    return {verdict.position for verdict in corners if verdict.fits}


class _Verdict(NamedTuple):
    """Whether a box fits into its image as two corners, and whether it leaves it as a corner and a size."""

    position: int
    fits: bool
    leaves: bool


def _verdicts(image: Image, size_wh: tuple[int, int]) -> list[_Verdict]:
    width, height = size_wh
    verdicts = []
    for thing in image.objects:
        if thing.box_xywh is None or is_normalised(thing.box_xywh):
            continue
        x, y, a, b = thing.box_xywh
        fits = x >= 0 and y >= 0 and x < a <= width + OVERHANG_PX and y < b <= height + OVERHANG_PX
        leaves = x + a > width + OVERHANG_PX or y + b > height + OVERHANG_PX
        verdicts.append(_Verdict(thing.position, fits, leaves))
    return verdicts


def _are_corners(verdicts: Sequence[_Verdict], least: int, leave_share: float) -> bool:
    count = len(verdicts)
    fit, leave = sum(v.fits for v in verdicts), sum(v.fits and v.leaves for v in verdicts)
    return count >= least and fit >= _FIT_SHARE * count and leave >= leave_share * count


def _has_a_mask_alone(thing: Object) -> bool:
    """Whether there is a segmentation beside a box of nothing but zeros, as some tools leave it."""
    return bool(thing.raw.get("segmentation")) and thing.box_xywh is not None and not any(thing.box_xywh)


def _without_box(split: Split, thing: Object) -> Finding:
    value = None if _has_a_mask_alone(thing) else thing.raw.get("bbox")
    if value not in (None, [], ""):
        return split.about_object("box-not-numbers", thing, f"four numbers {_BOX}", f"{value!r:.60}")
    if not (segmentation := thing.raw.get("segmentation")):
        return split.about_object("no-box", thing, f"a 'bbox' {_BOX}", "none")
    size_wh = thing.image.size_wh if thing.image is not None else None
    if size_wh is not None and (mask_hw := mask_of_another_shape(segmentation, size_wh)) is not None:
        swapped = ": width and height, swapped" if same_shape(mask_hw, size_wh) else ""
        found = f"'size' [{mask_hw[0]}, {mask_hw[1]}]{swapped}"
        expected = f"a 'bbox', or a mask of 'size' [height, width], here [{size_wh[1]}, {size_wh[0]}]"
        return split.about_object("mask-size", thing, expected, found)
    if box_of_segmentation(segmentation, size_wh) is not None:
        return split.about_object("segmentation-only", thing, f"a 'bbox' {_BOX}", "only a 'segmentation'")
    found = "none, and a 'segmentation' that is neither polygons nor a mask in runs"
    return split.about_object("no-box", thing, f"a 'bbox' {_BOX}", found)


def _placed(split: Split, thing: Object, size_wh: tuple[int, int], corner: bool) -> Iterator[Finding]:
    """The one thing that is wrong with the place of a box, if any."""
    assert thing.box_xywh is not None
    x, y, width, height = thing.box_xywh
    shown = f"[{', '.join(f'{side:g}' for side in thing.box_xywh)}]"
    inside = f"a box inside {size_wh[0]}x{size_wh[1]} pixels"
    over = max(-x, -y, x + width - size_wh[0], y + height - size_wh[1])
    if is_normalised(thing.box_xywh):
        yield split.about_object("normalised-box", thing, _BOX, f"{shown}, parts of the image's size")
    elif corner:
        yield split.about_object("corner-box", thing, _BOX, f"{shown}, which fits as [left, top, right, bottom]")
    elif width < 0 or height < 0:
        yield split.about_object("inverted-box", thing, "a width and height above 0", shown)
    elif width == 0 or height == 0:
        yield split.about_object("empty-box", thing, "a width and height above 0", shown)
    elif x >= size_wh[0] or y >= size_wh[1] or x + width <= 0 or y + height <= 0:
        yield split.about_object("outside-box", thing, inside, shown)
    elif over > OVERHANG_PX:
        yield split.about_object("overhanging-box", thing, inside, f"{shown}, {over:.4g} pixels over the border")


def _on_each_other(split: Split, image: Image) -> Iterator[Finding]:
    things = [t for t in image.objects if t.box_xywh is not None and min(t.box_xywh[2:]) > 0 and not t.crowd]
    if len(things) < 2:
        return
    boxes = np.array([thing.box_xywh for thing in things], np.float64)
    boxes[:, 2:] += boxes[:, :2]  # xywh -> xyxy
    reported = set[int]()
    for i, j in np.argwhere(np.triu(box_iou(boxes, boxes), 1) > SAME_BOX_IOU):
        first, second = things[i], things[j]
        if int(j) in reported:
            continue
        reported.add(int(j))
        same = first.category is second.category
        found = f"{_name(second)} on {_name(first)}, annotation {first.raw.get('id')!s:.60}"
        kind, what = ("duplicate-box", "box") if same else ("two-classes", "class")
        yield split.about_object(kind, second, f"one {what} for each object", found)


def _name(thing: Object) -> str:
    return repr(thing.category.name) if thing.category is not None else "a box"
