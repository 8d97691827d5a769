"""Variations of training images: pure functions of an example and a random generator.

All geometry of an image is composed into one matrix, so that every source image is resampled once, straight into the
result. Matrices map continuous coordinates: pixel ``i`` covers ``i`` to ``i + 1``, as boxes are measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.letterbox import letterbox
from fusedet.deploy.detector.opencv import cv2
from fusedet.train.config import AugmentConfig

#: Label of a region with objects of class 0 that nobody told apart; ``CROWD - 1`` is one of class 1, and so on.
CROWD = -2
#: Grey level where no image is.
PAD_VALUE = 114
#: An object stays an example when at least this part of its area is in the image, and it is this large in pixels.
MIN_VISIBLE = 0.1
MIN_SIDE = 2.0

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """An image to learn from."""

    image: NDArray[np.uint8]  # uint8 BGR [H, W, 3]
    boxes_xyxy: NDArray[np.float32]  # [N, 4] in pixels of the image
    labels: NDArray[np.int64]  # [N]: class indices, or ``CROWD - class`` for a region where that class is ignored
    weights: NDArray[np.float32]  # [N] in 0..1: how sure it is that the object is there


class Examples(Protocol):
    """Examples by their index, such as a list of them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Example: ...


def letterbox_example(example: Example, size_hw: tuple[int, int]) -> Example:
    """The runtime's own letterbox: what the network sees on the board."""
    canvas, place = letterbox(example.image, size_hw, PAD_VALUE)
    return _seen(canvas, [example], [place.to_input(example.boxes_xyxy)])


def letterbox_place(shape_hw: tuple[int, int], size_hw: tuple[int, int]) -> Matrix:
    """The letterbox as a matrix: the image fitted into ``size_hw`` and centred. ``[3, 3]``."""
    zoom = _fit(shape_hw, size_hw)
    return _zoom_and_shift(zoom, (size_hw[1] - zoom * shape_hw[1]) / 2, (size_hw[0] - zoom * shape_hw[0]) / 2)


def mosaic_places(
    shapes_hw: Sequence[tuple[int, int]], size_hw: tuple[int, int], rng: np.random.Generator
) -> list[Matrix]:
    """Where four images lie around a random point of the result: four matrices ``[3, 3]``, one for each quadrant.

    Mosaic augmentation: Bochkovskiy et al., YOLOv4, 2020, section 3.3. Each image is as large as its letterbox in
    ``size_hw`` would be; the zoom of :func:`random_affine` decides how much of the four is seen.
    """
    x, y = rng.uniform(size=2) * (size_hw[1], size_hw[0])
    places = []
    for quadrant, shape in enumerate(shapes_hw):
        zoom = _fit(shape, size_hw)
        left = x if quadrant % 2 else x - zoom * shape[1]
        top = y if quadrant // 2 else y - zoom * shape[0]
        places.append(_zoom_and_shift(zoom, left, top))
    return places


def random_affine(size_hw: tuple[int, int], config: AugmentConfig, rng: np.random.Generator) -> Matrix:
    """Zoom, rotation, shear, mirroring and shift about the middle of an image of ``size_hw``. ``[3, 3]``."""
    height, width = size_hw
    zoom = rng.uniform(1 - config.scale, 1 + config.scale)
    angle = np.deg2rad(rng.uniform(-config.rotate, config.rotate))
    shear_x, shear_y = np.tan(np.deg2rad(rng.uniform(-config.shear, config.shear, 2)))
    shift = rng.uniform(-config.translate, config.translate, 2) * (width, height)
    mirror = np.where(rng.uniform(size=2) < (config.flip, config.flip_vertical), -1.0, 1.0)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.array([[1, shear_x], [shear_y, 1]]) @ rotation @ np.diag(zoom * mirror)
    middle = np.array([width / 2, height / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = middle + shift - linear @ middle
    return matrix


def paste(examples: Sequence[Example], matrices: Sequence[Matrix], size_hw: tuple[int, int]) -> Example:
    """A new image of ``size_hw`` from examples, each seen through its matrix; grey where none of them is.

    Boxes are clipped to the new image. Objects of which too little stays to be seen are no examples any more
    (:data:`MIN_VISIBLE`, :data:`MIN_SIDE`); regions to ignore stay while any part of them is in the image.
    """
    canvas = np.full((*size_hw, 3), PAD_VALUE, np.uint8)
    for example, matrix in zip(examples, matrices, strict=True):
        _warp_onto(canvas, example.image, matrix)
    boxes = [transform_boxes(e.boxes_xyxy, matrix) for e, matrix in zip(examples, matrices, strict=True)]
    return _seen(canvas, examples, boxes)


def transform_boxes(boxes_xyxy: NDArray[np.float32], matrix: Matrix) -> NDArray[np.float32]:
    """The upright boxes ``[N, 4]`` around the images of ``boxes_xyxy`` ``[N, 4]`` under an affine matrix."""
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2 @ matrix[:2, :2].T + matrix[:2, 2]
    # The hull of a parallelogram: each half side is the sum of what both half sides of the box contribute to it.
    halves = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2 @ np.abs(matrix[:2, :2]).T
    return np.concatenate([centres - halves, centres + halves], 1).astype(np.float32)


def random_hsv(image: NDArray[np.uint8], config: AugmentConfig, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Shifts the hue and scales saturation and brightness of a BGR image, each by a random amount."""
    hue, saturation, value = rng.uniform(-1, 1, 3) * (config.hue, config.saturation, config.value)
    if not (config.hue or config.saturation or config.value):
        return image
    levels = np.arange(256)
    table = np.empty((1, 256, 3), np.uint8)
    table[0, :, 0] = (levels + round(hue * 180)) % 180  # OpenCV's hue has 180 steps
    table[0, :, 1] = np.clip(levels * (1 + saturation), 0, 255)
    table[0, :, 2] = np.clip(levels * (1 + value), 0, 255)
    varied = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_BGR2HSV), table)
    return np.asarray(cv2.cvtColor(varied, cv2.COLOR_HSV2BGR), np.uint8)


def mixup(first: Example, second: Example, rng: np.random.Generator) -> Example:
    """Blends two images of one size about half and half and keeps the objects of both.

    Zhang et al., mixup, 2018; Zhang et al., Bag of Freebies for object detection, 2019, section 3.1.
    """
    weight = rng.beta(32, 32)
    blend = cv2.addWeighted(first.image, weight, second.image, 1 - weight, 0)
    return Example(
        np.asarray(blend, np.uint8),
        np.concatenate([first.boxes_xyxy, second.boxes_xyxy]),
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.weights, second.weights]),
    )


def augment(
    examples: Examples,
    index: int,
    size_hw: tuple[int, int],
    config: AugmentConfig,
    mosaic: bool,
    rng: np.random.Generator,
) -> Example:
    """A variation of example ``index``, of ``size_hw`` (height, width) in pixels; all randomness comes from ``rng``.

    Mosaic and mixup draw partners from ``examples``, whose images are not changed; without ``mosaic`` both are left
    out.
    """

    def scene(index: int) -> Example:
        """One image, or four of them as a mosaic, seen through a random affine map."""
        if mosaic and rng.uniform() < config.mosaic:
            indices = [index, *rng.integers(len(examples), size=3).tolist()]
            rng.shuffle(indices)
            chosen = [examples[i] for i in indices]
            places = mosaic_places([_shape(example) for example in chosen], size_hw, rng)
        else:
            chosen = [examples[index]]
            places = [letterbox_place(_shape(chosen[0]), size_hw)]
        view = random_affine(size_hw, config, rng)
        if len(chosen) == 1 and np.array_equal(view, np.eye(3)):
            return letterbox_example(chosen[0], size_hw)
        return paste(chosen, [view @ place for place in places], size_hw)

    example = scene(index)
    if mosaic and rng.uniform() < config.mixup:
        partner = int(rng.integers(len(examples)))
        example = mixup(example, scene(partner), rng)
    return replace(example, image=random_hsv(example.image, config, rng))


def _shape(example: Example) -> tuple[int, int]:
    return example.image.shape[0], example.image.shape[1]


def _fit(shape_hw: tuple[int, int], size_hw: tuple[int, int]) -> float:
    """The zoom at which an image of ``shape_hw`` just fits into ``size_hw``."""
    return min(size_hw[0] / shape_hw[0], size_hw[1] / shape_hw[1])


def _zoom_and_shift(zoom: float, left: float, top: float) -> Matrix:
    return np.array([[zoom, 0, left], [0, zoom, top], [0, 0, 1]])


def _seen(canvas: NDArray[np.uint8], examples: Sequence[Example], moved: Sequence[NDArray[np.float32]]) -> Example:
    """An image with the objects of some examples, whose boxes moved: clipped to the image, or gone with too little."""
    size_hw = canvas.shape[:2]
    boxes, labels = np.concatenate(moved), np.concatenate([example.labels for example in examples])
    weights = np.concatenate([example.weights for example in examples])
    clipped = boxes.clip(0, (size_hw[1], size_hw[0], size_hw[1], size_hw[0])).astype(np.float32)
    sides = clipped[:, 2:] - clipped[:, :2]
    part = sides.prod(1) / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-9)
    is_object = (part >= MIN_VISIBLE) & (sides >= MIN_SIDE).all(1)
    keep = np.where(labels <= CROWD, (sides > 0).all(1), is_object)
    return Example(canvas, clipped[keep], labels[keep], weights[keep])


def _warp_onto(canvas: NDArray[np.uint8], image: NDArray[np.uint8], matrix: Matrix) -> None:
    """Draws an image through a matrix into the part of the canvas that it reaches."""
    height, width = image.shape[:2]
    whole = np.array([[0, 0, width, height]], np.float32)
    left, top, right, bottom = transform_boxes(whole, matrix)[0]
    x1, y1 = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
    x2, y2 = min(canvas.shape[1], int(np.ceil(right))), min(canvas.shape[0], int(np.ceil(bottom)))
    if x1 >= x2 or y1 >= y2:
        return
    # warpAffine maps the centres of pixels, which lie half a pixel inside of the pixel's corner.
    linear = matrix[:2, :2]
    shift = matrix[:2, 2] + linear @ (0.5, 0.5) - 0.5 - (x1, y1)
    cv2.warpAffine(
        image,
        np.column_stack([linear, shift]),
        (x2 - x1, y2 - y1),
        dst=canvas[y1:y2, x1:x2],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
