"""The pictures on which a detector did worst and best: what is there beside what it found.

Each picture is in the page once, as JPEG; the boxes over it are SVG, sharp at any size and with names in any script.
"""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fusedet.common.html import legend
from fusedet.common.text import counted
from fusedet.deploy.detector.opencv import cv2
from fusedet.train.data.image_cache import load_at_size
from fusedet.train.evaluation.matching import IGNORED, Judged

__all__ = ["LEGEND", "all_pairs", "best_and_worst", "picture_pair"]

#: Longest side of a picture on the page in pixels, and the most bytes that one takes.
_SIDE, _MOST_BYTES = 560, 80_000
#: Boxes that are all named; of more, only the errors are, and of those the largest.
_MOST_NAMED = 16

LEGEND = legend(
    [("right", "var(--good)"), ("another class", "var(--warn)"), ("missed, or a false alarm", "var(--bad)")]
)


def best_and_worst(judged: Iterable[Judged], worst: int = 6, best: int = 3) -> tuple[list[Judged], list[Judged]]:
    """The pictures with the most errors, and those without any that have the most objects, in that order."""
    listed = list(judged)
    wrong = sorted((one for one in listed if one.errors), key=lambda one: -one.errors)
    right = [one for one in listed if not one.errors and (one.right >= 0).any()]
    right.sort(key=lambda one: (-int((one.right >= 0).sum()), -float(one.found.scores.min())))
    return right[:best], wrong[:worst]


def picture_pair(judged: Judged, number: int) -> str:
    """Objects on the left, detections on the right, as HTML; ``number`` is one that no other pair of the page has.

    Raises:
        InputError: the picture cannot be read.
    """
    sample = judged.sample
    data = _jpeg(load_at_size(sample, (sample.height, sample.width)))
    place = f'width="{sample.width}" height="{sample.height}"'
    image = f'<image id="p{number}" {place} preserveAspectRatio="none" href="data:image/jpeg;base64,{data}"/>'
    again = f'<use href="#p{number}"/>'
    left = _figure(judged, image, _objects(judged), f"there: {counted(int((~sample.crowd).sum()), 'object')}")
    right = _figure(judged, again, _detections(judged), f"found: {_verdict(judged)}")
    name = f'<p class="quiet"><code>{escape(sample.path.name)}</code></p>'
    return f'<div class="picture">{name}<div class="pair">{left}{right}</div></div>'


def _verdict(judged: Judged) -> str:
    counts = [
        (int((judged.right >= 0).sum()), "right"),
        (int((judged.confused >= 0).sum()), "under another name"),
        (int(judged.missed.sum()), "missed"),
        (int(judged.false_alarms.sum()), "false"),
    ]
    return ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing"


def _figure(judged: Judged, image: str, boxes: str, caption: str) -> str:
    sample = judged.sample
    return (
        f'<figure><svg viewBox="0 0 {sample.width} {sample.height}" role="img" aria-label="{escape(caption)}">'
        f"{image}{boxes}</svg><figcaption>{escape(caption)}</figcaption></figure>"
    )


def _objects(judged: Judged) -> str:
    sample, missed = judged.sample, judged.missed
    confused = set(judged.confused[judged.confused >= 0].tolist())
    boxes = []
    for i, label in enumerate(sample.labels):
        name = judged.found.names[label]
        kind = "bad" if missed[i] else "warn" if i in confused else "good"
        if sample.crowd[i]:
            name, kind = f"{name} (ignored)", "quiet"
        boxes.append(_Box(sample.boxes_xyxy[i], name, kind))
    return _drawn(judged, boxes)


def _detections(judged: Judged) -> str:
    found, false = judged.found, judged.false_alarms
    boxes = []
    for i in np.argsort(found.scores, kind="stable"):  # the best lie on top
        kind = "bad" if false[i] else "warn" if judged.confused[i] >= 0 else "good"
        if judged.right[i] == IGNORED:
            kind = "quiet"
        boxes.append(_Box(found.boxes_xyxy[i], f"{found.names[found.class_ids[i]]} {found.scores[i]:.2f}", kind))
    return _drawn(judged, boxes)


class _Box(NamedTuple):
    """A box over a picture: xyxy in its pixels, what is written beside it, and a key of :data:`_PAINT`."""

    box: NDArray[np.float32]
    text: str
    kind: str

    @property
    def is_error(self) -> bool:
        return self.kind in ("bad", "warn")

    @property
    def area(self) -> float:
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


def _drawn(judged: Judged, boxes: Sequence[_Box]) -> str:
    """Errors lie over what is right, and names over all boxes."""
    size = judged.sample.width, judged.sample.height
    unit = max(size) / 460  # a pixel of the page, roughly
    ordered = sorted(boxes, key=lambda one: one.is_error)
    named = [one for one in ordered if one.is_error] if len(boxes) > _MOST_NAMED else ordered
    named = sorted(named, key=lambda one: -one.area)[:_MOST_NAMED]
    plates: list[_Plate] = []
    for one in sorted(named, key=lambda one: not one.is_error):  # errors get the best places
        plates.append(_place(one, 12.5 * unit, size, plates))
    return "".join([_outline(one, unit) for one in ordered] + [_written(plate) for plate in plates[::-1]])


def _outline(one: _Box, unit: float) -> str:
    left, top, right, bottom = (float(side) for side in one.box)
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" fill="none" '
        f'style="stroke:{_PAINT[one.kind]};stroke-width:{(2.6 if one.is_error else 1.6) * unit:.1f}">'
        f"<title>{escape(one.text)}</title></rect>"
    )


class _Plate(NamedTuple):
    """Where the name of a box stands, in pixels of the picture; ``letter`` is the size of its letters."""

    x: float
    y: float
    width: float
    height: float
    letter: float
    one: _Box

    def overlaps(self, other: "_Plate") -> bool:
        across = self.x < other.x + other.width and other.x < self.x + self.width
        return across and self.y < other.y + other.height and other.y < self.y + self.height


def _place(one: _Box, letter: float, size: tuple[int, int], taken: Sequence[_Plate]) -> _Plate:
    """Above the box, else inside its top, below it, or inside its foot, where no other name is; else above all."""
    width, height = letter * (0.58 * len(one.text) + 0.5), letter * 1.25
    left, top, _, bottom = (float(side) for side in one.box)
    x = max(0.0, min(left, size[0] - width))
    rows = [y for y in (top - height, top, bottom, bottom - height) if 0 <= y <= size[1] - height]
    plates = [_Plate(x, y, width, height, letter, one) for y in rows or [0.0]]
    return next((plate for plate in plates if not any(plate.overlaps(other) for other in taken)), plates[0])


def _written(plate: _Plate) -> str:
    x, y, width, height, letter, one = plate
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" style="fill:{_PAINT[one.kind]}"/>'
        f'<text x="{x + letter * 0.25:.1f}" y="{y + letter:.1f}" textLength="{width - letter * 0.5:.1f}" '
        f'lengthAdjust="spacingAndGlyphs" style="font-size:{letter:.1f}px;fill:#fff">{escape(one.text)}</text>'
    )


#: Over pictures the colours are those of the light page, whatever the page's own.
_PAINT = {"good": "#1a9c58", "warn": "#c77700", "bad": "#d62f25", "quiet": "#7a8594"}


def _jpeg(image: NDArray[np.uint8]) -> str:
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    for quality in (82, 68, 50, 30):
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(data) <= _MOST_BYTES:
            break
    return base64.b64encode(data).decode("ascii")


def all_pairs(judged: Sequence[Judged], first: int) -> str:
    """Pairs of several pictures, numbered from ``first``."""
    return "".join(picture_pair(one, first + number) for number, one in enumerate(judged))
