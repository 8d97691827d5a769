"""Drawn images to compare files on where there are no others."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.opencv import cv2

#: Images by the name that an error message gives them: uint8 ``[H, W, 3]`` in BGR.
Images = Mapping[str, NDArray[np.uint8]]


def draw_images(count: int = 4, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    """Images with something in them: shapes in colours on a slope of light, with a camera's grain, in several sizes.

    Noise alone would light every anchor point alike, and a flat image would give equal scores everywhere.
    """
    rng = np.random.default_rng(seed)
    sizes = ((240, 320), (320, 240), (300, 300), (180, 480))
    return {f"drawn image {i + 1}": _draw(rng, *sizes[i % len(sizes)]) for i in range(count)}


def _draw(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:height, 0:width]
    slope = rng.uniform(-0.3, 0.3, (2, 3))
    image = 128 + rows[..., None] * slope[0] + columns[..., None] * slope[1]
    image = np.ascontiguousarray((image + rng.normal(0, 4, (height, width, 3))).clip(0, 255), np.uint8)
    for _ in range(12):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        side = int(rng.integers(8, height // 2))
        colour = tuple(int(level) for level in rng.integers(0, 256, 3))
        shape = rng.integers(3)
        if shape == 0:
            cv2.rectangle(image, (x, y), (x + side, y + side // 2), colour, -1)
        elif shape == 1:
            cv2.circle(image, (x, y), side // 2, colour, -1)
        else:
            cv2.line(image, (x, y), (x + side, y - side), colour, 5)
    return image
