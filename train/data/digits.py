"""A small data set that everybody has: real handwritten digits, scattered over drawn backgrounds.

The digits are scikit-learn's (1,797 digits of 8 x 8 grey levels, from the UCI set of handwritten digits: Alpaydin and
Kaynak, 1998). Four fifths of them, drawn once and for all, appear in training images only and the others in
validation images and videos only.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.detector.opencv import cv2
from fusedet.train.data.coco import annotation
from fusedet.train.labelling.folders import whole_folder

Split = Literal["train", "val"]

_DESCRIPTION = "fusedet digits"
_TRAIN_PART = 0.8
#: Parts of the images without any digit, and of the digits that are small.
_EMPTY_PART, _SMALL_PART = 0.05, 0.04
_SMALL_PX, _USUAL_PX = (20, 28), (28, 96)
_MAX_OBJECTS = 8
_MAX_TURN_DEGREES = 15
#: A digit is brighter (0..255) than what lies behind it by this much, or as bright as the second figure.
_MIN_CONTRAST, _BRIGHTEST = 85, 235
#: Two digits share at most this part of the smaller one's box.
_MAX_OVERLAP = 0.03
#: Rows and columns of a video, one digit in each cell.
_VIDEO_GRID = (2, 3)


def make_digits(out: Path, train: int = 400, val: int = 100, size: tuple[int, int] = (320, 320), seed: int = 0) -> Path:
    """Draws the data set: ``out/images/*.jpg`` and ``out/annotations/{train,val}.json`` with the classes 0 to 9.

    ``train`` and ``val`` count images of ``size`` (height, width) in pixels; the same seed gives the same. A set that
    is there already and was made with the same arguments is left as it is. Returns ``out``. Raises InputError if
    ``out`` holds something else, or scikit-learn is missing.
    """
    info = {"description": _DESCRIPTION, "train": train, "val": val, "size": list(size), "seed": seed}
    if _is_there(out, info):
        return out
    with whole_folder(out) as made:
        (made / "annotations").mkdir()
        (made / "images").mkdir()
        _make_split(made, "train", train, size, seed, info)
        _make_split(made, "val", val, size, seed, info)
    return out


def make_digits_video(
    path: Path, seconds: float = 8, fps: int = 25, size: tuple[int, int] = (480, 640), seed: int = 0
) -> Path:
    """Draws an MP4 video of validation digits that drift through an image of ``size`` (height, width) at ``path``.

    Raises InputError if ``path`` exists already, OpenCV cannot write MP4, or scikit-learn is missing.
    """
    if path.exists():
        raise InputError(f"{path}: exists already")
    rng = np.random.default_rng([2, seed])
    background = _background(size, rng)
    movers = _movers(background, rng)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}-{os.getpid()}.mp4")
    writer = cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"mp4v"), fps, size[::-1])
    try:
        if not writer.isOpened():
            raise InputError(f"{path}: this build of OpenCV cannot write MP4 videos there")
        for frame in range(max(1, round(seconds * fps))):
            image = background.copy()
            for mover in movers:
                mover.paint(image, frame / fps)
            writer.write(image)
        writer.release()
        os.replace(part, path)
    finally:
        writer.release()
        part.unlink(missing_ok=True)
    return path


@dataclass(frozen=True)
class _Mover:
    """A digit of a video: it drifts to and fro in its own cell of the image, so that no two meet, and sways.

    ``cell_xywh`` is in pixels, ``start`` and ``velocity`` are in pixels and pixels for each second.
    """

    glyph: NDArray[np.float32]
    height: int
    color: NDArray[np.float32]
    cell_xywh: tuple[int, int, int, int]
    start: NDArray[np.float64]
    velocity: NDArray[np.float64]

    def paint(self, image: NDArray[np.uint8], time_s: float) -> None:
        """Draws the digit where it is after ``time_s``."""
        left, top, width, height = self.cell_xywh
        ink = _ink(self.glyph, self.height, _MAX_TURN_DEGREES * np.sin(time_s + self.start[0]), 1.0)
        room = np.maximum((width - ink.shape[1], height - ink.shape[0]), 1)
        way = (self.start + self.velocity * time_s) % (2 * room)
        x, y = np.round(room - np.abs(way - room)).astype(int)  # there and back again
        _paint(image, ink, left + int(x), top + int(y), self.color)


def _movers(background: NDArray[np.uint8], rng: np.random.Generator) -> list[_Mover]:
    rows, columns = _VIDEO_GRID
    height, width = background.shape[0] // rows, background.shape[1] // columns
    cells = [(column * width, row * height, width, height) for row in range(rows) for column in range(columns)]
    glyphs = _glyphs("val")
    movers = []
    for (x, y, _, _), wanted in zip(cells, rng.permutation(10)[: len(cells)], strict=True):
        (_, glyph), *_ = _pick([pair for pair in glyphs if pair[0] == wanted], 1, rng)
        tall = round(min(height, width) * rng.uniform(0.3, 0.6))
        color = _contrasting(background[y : y + height, x : x + width], rng)
        velocity = min(height, width) * rng.uniform(0.15, 0.5, 2)
        movers.append(_Mover(glyph, tall, color, (x, y, width, height), rng.uniform(0, 2 * width, 2), velocity))
    return movers


def _is_there(out: Path, info: dict[str, Any]) -> bool:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        found = json.loads((out / "annotations" / "val.json").read_text(encoding="utf-8"))["info"]
        ours = found["description"] == _DESCRIPTION
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise InputError(f"{out}: exists already and holds something else than a set of digits")
    if found != info:
        raise InputError(f"{out}: holds digits that were made with other settings: {found}; remove it or name another")
    return True


def _make_split(root: Path, split: Split, count: int, size: tuple[int, int], seed: int, info: dict[str, Any]) -> None:
    glyphs = _glyphs(split)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id in range(1, count + 1):
        rng = np.random.default_rng([0 if split == "train" else 1, seed, image_id])
        image, objects = _scene(glyphs, size, rng)
        name = f"{split}-{image_id:05}.jpg"
        cv2.imwrite(str(root / "images" / name), image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        images.append({"id": image_id, "file_name": name, "width": size[1], "height": size[0]})
        for label, (x, y, width, height) in objects:
            number, box = len(annotations) + 1, [x, y, width, height]
            annotations.append(annotation(number, image_id, label, box, width * height))
    categories = [{"id": digit, "name": str(digit)} for digit in range(10)]
    content = {"info": info, "images": images, "categories": categories, "annotations": annotations}
    (root / "annotations" / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")


def _glyphs(split: Split) -> list[tuple[int, NDArray[np.float32]]]:
    """The digits of a split: label and ink ``[8, 8]`` in 0..1."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError("the digits come from scikit-learn: pip install 'fusedet[demo]'") from error
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))  # neighbours are of one writer: mix them
    first_val = int(_TRAIN_PART * len(order))
    chosen = order[:first_val] if split == "train" else order[first_val:]
    return [(int(digits.target[i]), (digits.images[i] / 16).astype(np.float32)) for i in chosen]


def _pick(
    glyphs: Sequence[tuple[int, NDArray[np.float32]]], count: int, rng: np.random.Generator
) -> list[tuple[int, NDArray[np.float32]]]:
    return [glyphs[i] for i in rng.integers(len(glyphs), size=count)]


def _scene(
    glyphs: Sequence[tuple[int, NDArray[np.float32]]], size: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[tuple[int, tuple[int, int, int, int]]]]:
    """An image and its digits: label and ``(x, y, width, height)`` of the ink."""
    image = _background(size, rng)
    objects: list[tuple[int, tuple[int, int, int, int]]] = []
    count = 0 if rng.uniform() < _EMPTY_PART else int(rng.integers(1, _MAX_OBJECTS + 1))
    for label, glyph in _pick(glyphs, count, rng):
        low, high = _SMALL_PX if rng.uniform() < _SMALL_PART else _USUAL_PX
        height = round(np.exp(rng.uniform(np.log(low), np.log(min(high, size[0] // 2)))))
        ink = _ink(glyph, height, rng.uniform(-_MAX_TURN_DEGREES, _MAX_TURN_DEGREES), rng.uniform(0.85, 1.2))
        box = _free_place(ink.shape, size, [box for _, box in objects], rng)
        if box is not None:
            x, y, width, height = box
            _paint(image, ink, x, y, _contrasting(image[y : y + height, x : x + width], rng))
            objects.append((label, box))
    return image, objects


def _free_place(
    shape: tuple[int, ...], size: tuple[int, int], taken: Sequence[tuple[int, int, int, int]], rng: np.random.Generator
) -> tuple[int, int, int, int] | None:
    """A random place for a digit where it hardly overlaps the others, or None where there is no room."""
    height, width = shape[:2]
    if height > size[0] or width > size[1]:
        return None
    for _ in range(30):
        x, y = int(rng.integers(size[1] - width + 1)), int(rng.integers(size[0] - height + 1))
        if all(
            max(0, min(x + width, tx + tw) - max(x, tx)) * max(0, min(y + height, ty + th) - max(y, ty))
            <= _MAX_OVERLAP * min(width * height, tw * th)
            for tx, ty, tw, th in taken
        ):
            return x, y, width, height
    return None


def _ink(glyph: NDArray[np.float32], height: int, degrees: float, stretch: float) -> NDArray[np.float32]:
    """A digit as smooth strokes: opacity ``[height, w]`` in 0..1, cut tight around the ink."""
    field = cv2.resize(np.pad(glyph, 2), (192, 192), interpolation=cv2.INTER_CUBIC)  # 16 pixels for each one
    turn = cv2.getRotationMatrix2D((96, 96), degrees, 1)
    turn[0] *= stretch
    field = cv2.warpAffine(field, turn, (round(192 * stretch), 192), flags=cv2.INTER_LINEAR)
    edge = np.clip((field - 0.3) / 0.4, 0, 1)
    opacity = edge * edge * (3 - 2 * edge)
    rows, columns = (np.flatnonzero((opacity > 0.5).any(axis)) for axis in (1, 0))
    tight = opacity[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width = max(1, round(tight.shape[1] * height / tight.shape[0]))
    shrinks = height < tight.shape[0]
    return cv2.resize(tight, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _paint(image: NDArray[np.uint8], ink: NDArray[np.float32], x: int, y: int, color: NDArray[np.float32]) -> None:
    view = image[y : y + ink.shape[0], x : x + ink.shape[1]]
    view[:] = np.round(view + ink[..., None] * (color - view))


def _contrasting(region: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """A random BGR color that is clearly brighter than a region of an image."""
    weights = np.array([0.114, 0.587, 0.299])
    least = min(float((region @ weights).mean()) + _MIN_CONTRAST, _BRIGHTEST)
    while True:
        color = rng.uniform(0, 255, 3)
        if color @ weights >= least:
            return color.astype(np.float32)


def _background(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A gradient between two colors with clouds, at times stripes, shapes and lines, and a little grain."""
    height, width = size
    middle = rng.uniform(30, 120)
    first, second = (np.clip(middle + rng.uniform(-45, 45, 3), 0, 255) for _ in range(2))
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = (x * np.cos(angle) + y * np.sin(angle)) / 2.83 + 0.5
    image = np.float32(first) + np.float32(second - first) * along[..., None]
    clouds = rng.normal(0, 1, (int(rng.integers(3, 9)), int(rng.integers(3, 9)), 3)).astype(np.float32)
    image += rng.uniform(4, 14) * cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.uniform() < 0.35:
        turn, waves = rng.uniform(0, np.pi), rng.uniform(4, 20)
        stripes = np.sin(np.pi * waves * (x * np.cos(turn) + y * np.sin(turn)))
        image += rng.uniform(4, 12) * np.clip(stripes * 3, -1, 1)[..., None]
    drawn = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 9))):
        _clutter(drawn, rng)
    grain = rng.uniform(1, 5) * rng.standard_normal((height, width, 1), np.float32)
    return np.clip(drawn + grain, 0, 255).astype(np.uint8)


def _clutter(image: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """One shape or line that is no digit, in a color near to what is there."""
    height, width = image.shape[:2]
    x, y = int(rng.integers(width)), int(rng.integers(height))
    color = np.clip(image[y, x] + rng.uniform(-55, 55, 3), 0, 255).tolist()
    radius = round(min(height, width) * rng.uniform(0.03, 0.18))
    corners = [x, y] + radius * rng.uniform(-1, 1, (int(rng.integers(3, 6)), 2))
    hull = cv2.convexHull(corners.astype(np.int32))
    kind = rng.integers(4)
    if kind == 0:
        cv2.ellipse(image, (x, y), (radius, radius // 2 + 1), rng.uniform(0, 180), 0, 360, color, -1, cv2.LINE_AA)
    elif kind == 1:
        cv2.fillConvexPoly(image, hull, color, cv2.LINE_AA)
    elif kind == 2:
        cv2.polylines(image, [hull], True, color, int(rng.integers(1, 4)), cv2.LINE_AA)
    else:
        end = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.line(image, (x, y), end, color, int(rng.integers(1, 5)), cv2.LINE_AA)
