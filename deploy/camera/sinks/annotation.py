"""Draws a result into its image."""

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.camera.events.draw_zones import draw_zones
from fusedet.deploy.camera.result import Result
from fusedet.deploy.drawing.draw import draw_detections


def image_with_zones(result: Result) -> NDArray[np.uint8]:
    """The result's image with the camera's zones and lines and what was counted there so far.

    Returns:
        uint8 ``[H, W, 3]`` in BGR: a copy, or the image itself where the camera has neither zones nor lines.
    """
    image = result.frame.image
    if not (result.places.zones or result.places.lines):
        return image
    return draw_zones(image, result.places, result.counts)


def annotated_image(result: Result) -> NDArray[np.uint8]:
    """A copy of the result's image with zones, lines and counts, and above them the detections.

    Returns:
        uint8 ``[H, W, 3]`` in BGR.
    """
    return draw_detections(image_with_zones(result), result.detections)
