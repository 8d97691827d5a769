"""Draws an event into its image."""

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.drawing.draw import class_color, draw_boxes

#: Number of the colour of an event's box.
_EVENT_COLORS = {"enter": 2, "leave": 1, "dwell": 3, "cross": 0}


def draw_event(image_bgr: NDArray[np.uint8], event: Event) -> NDArray[np.uint8]:
    """A copy of the image with the box of the object that did it, and what it did.

    Args:
        image_bgr: uint8 ``[H, W, 3]``; left as it is.
        event: its box in pixels of this image.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    did = f"{event.kind} {event.direction}" if event.direction else event.kind
    stayed = "" if event.inside_s is None else f" after {event.inside_s:.1f} s"
    text = f"#{event.track} {event.label}: {did} {event.place}{stayed}"
    box = np.asarray([event.box_xyxy], np.float32)
    return draw_boxes(image_bgr, box, [text], [class_color(_EVENT_COLORS[event.kind])])
