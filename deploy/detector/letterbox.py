"""From an image to the network's input, and boxes back from there to the image.

Box coordinates are continuous: pixel ``i`` covers ``i`` to ``i + 1``, so that an image ``w`` pixels wide
spans 0 to ``w`` and mapping a box is one multiplication and one addition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.detector.contract import INPUT_FORMATS
from fusedet.deploy.detector.opencv import cv2


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies inside the network's input.

    Attributes:
        scale: image pixels to input pixels, before the resized sides are rounded to whole pixels.
        left: width of the padding on the left, in input pixels.
        top: height of the padding at the top, in input pixels.
        width: width of the image in its own pixels.
        height: height of the image in its own pixels.
    """

    scale: float
    left: int
    top: int
    width: int
    height: int

    @property
    def resized(self) -> tuple[int, int]:
        """``(height, width)`` of the resized image in input pixels."""
        return max(1, round(self.height * self.scale)), max(1, round(self.width * self.scale))

    @property
    def _axis_scales(self) -> tuple[float, float]:
        """``(x, y)`` scales that the resizing really had: they differ from ``scale`` by the rounding of the sides."""
        height, width = self.resized
        return width / self.width, height / self.height

    def to_input(self, boxes_xyxy: ArrayLike) -> NDArray[np.float32]:
        """Boxes ``[N, 4]`` from image pixels to input pixels."""
        x, y = self._axis_scales
        boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
        return (boxes * (x, y, x, y) + (self.left, self.top, self.left, self.top)).astype(np.float32)

    def to_image(self, boxes_xyxy: ArrayLike) -> NDArray[np.float32]:
        """Boxes ``[N, 4]`` from input pixels to image pixels, clipped to the image."""
        x, y = self._axis_scales
        boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
        boxes = (boxes - (self.left, self.top, self.left, self.top)) / (x, y, x, y)
        return boxes.clip(0, (self.width, self.height, self.width, self.height)).astype(np.float32)


def check_image(image: Any) -> None:
    """Says what is wrong with an image that is not uint8 ``[H, W, 3]``.

    Raises:
        InputError: another type, dtype or shape, or no pixel at all.
    """
    if image is None:
        raise InputError("an image must be uint8 [H, W, 3] in BGR, but got None, as cv2.imread gives for no image")
    if not isinstance(image, np.ndarray):
        from_pil = "; for one of PIL: np.asarray(image.convert('RGB'))[..., ::-1]" if hasattr(image, "convert") else ""
        raise InputError(
            f"an image must be a numpy array, uint8 [H, W, 3] in BGR, but got {type(image).__name__}{from_pil}"
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(f"an image must be uint8 [H, W, 3] in BGR, but got {image.dtype} {list(image.shape)}")


def letterbox(
    image_bgr: NDArray[np.uint8], size_hw: tuple[int, int], pad_value: int
) -> tuple[NDArray[np.uint8], Letterbox]:
    """Resizes an image to fit into the input, its sides in proportion, and centres it in padding.

    Small images are enlarged. ``INTER_LINEAR_EXACT`` gives the same bits on x86 and on ARM, ``INTER_LINEAR`` does
    not.

    Args:
        image_bgr: uint8 ``[h, w, 3]``.
        size_hw: ``(height, width)`` of the input in pixels.
        pad_value: value of the padding, 0..255.

    Returns:
        The canvas, uint8 ``[H, W, 3]`` and newly made, and where the image lies in it.

    Raises:
        InputError: the image is not uint8 ``[h, w, 3]``.
    """
    check_image(image_bgr)
    height, width = image_bgr.shape[:2]
    input_height, input_width = size_hw
    scale = min(input_height / height, input_width / width)
    place = Letterbox(scale, 0, 0, width, height)
    rows, columns = place.resized
    place = Letterbox(scale, (input_width - columns) // 2, (input_height - rows) // 2, width, height)
    resized = cv2.resize(image_bgr, (columns, rows), interpolation=cv2.INTER_LINEAR_EXACT)
    canvas = np.full((input_height, input_width, 3), pad_value, np.uint8)
    canvas[place.top : place.top + rows, place.left : place.left + columns] = resized
    return canvas, place


def to_blob(canvases: Sequence[NDArray[np.uint8]], input_format: str) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Letterboxed images as the tensor that the network takes.

    Args:
        canvases: uint8 BGR images ``[H, W, 3]``, all of one size.
        input_format: one of :data:`fusedet.deploy.detector.contract.INPUT_FORMATS`.

    Returns:
        uint8 ``[B, H, W, 3]``, or float32 ``[B, 3, H, W]`` RGB in 0..1.

    Raises:
        InputError: no such format.
    """
    if input_format not in INPUT_FORMATS:
        raise InputError(f"input_format must be one of {', '.join(INPUT_FORMATS)}, but got {input_format!r}")
    # One image, the camera's case, needs no copy to become a batch.
    batch = canvases[0][None] if len(canvases) == 1 else np.stack(canvases)
    if input_format == "uint8_nhwc_bgr":
        return batch
    planes = batch[..., ::-1].transpose(0, 3, 1, 2)  # BGR -> RGB, [B, H, W, 3] -> [B, 3, H, W]
    return np.ascontiguousarray(planes, np.float32) / np.float32(255)
