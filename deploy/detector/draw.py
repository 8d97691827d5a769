"""Draws detections into a picture, legible on any background and at any size."""

import colorsys

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.detector.detections import NO_TRACK, Detections
from fusedet.deploy.detector.opencv import cv2
from fusedet.deploy.detector.pen import Pen, stroke_width

__all__ = ["class_color", "draw_detections", "draw_event", "place_text"]

#: Turning the hue by the golden ratio keeps any number of first classes far apart.
_GOLDEN = 0.618034
#: Number of the colour of an event's box.
_EVENT_COLORS = {"enter": 2, "leave": 1, "dwell": 3, "cross": 0}


def class_color(class_id: int) -> tuple[int, int, int]:
    """The colour of a class in BGR: the same in every picture, and unlike its neighbours'."""
    hue = (0.03 + class_id * _GOLDEN) % 1
    saturation, value = ((0.85, 1.0), (0.6, 1.0), (0.95, 0.8))[class_id % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * blue), round(255 * green), round(255 * red)


def draw_detections(image_bgr: NDArray[np.uint8], detections: Detections) -> NDArray[np.uint8]:
    """A copy of the picture with boxes, class names, scores, and the numbers of tracks.

    Args:
        image_bgr: uint8 ``[H, W, 3]``; left as it is.
        detections: boxes in pixels of this picture. The best lie on top.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    canvas = image_bgr.copy()
    height, width = canvas.shape[:2]
    thickness = stroke_width(width, height)
    colors = [class_color(int(class_id)) for class_id in detections.class_ids]
    corners = np.rint(detections.boxes_xyxy).astype(int).tolist()
    texts = [f"{label} {score:.2f}" for label, score in zip(detections.labels, detections.scores, strict=True)]
    if detections.track_ids is not None:
        numbered = zip(texts, detections.track_ids, strict=True)
        texts = [text if number == NO_TRACK else f"#{number} {text}" for text, number in numbered]
    pen = Pen.for_thickness(thickness)
    plates: list[tuple[int, int, int, int]] = []
    for text, box in zip(texts, corners, strict=True):  # the best first: they get the best places
        plates.append(place_text(box, *pen.plate_size(text), canvas.shape[:2], plates))
    worst_first = range(len(detections) - 1, -1, -1)
    for i in worst_first:
        left, top, right, bottom = corners[i]
        # The last pixel inside the box, so that boxes at the picture's border are wholly visible.
        far = (max(left, min(right, width) - 1), max(top, min(bottom, height) - 1))
        cv2.rectangle(canvas, (left, top), far, colors[i], thickness, cv2.LINE_AA)
    for i in worst_first:  # after all boxes, so that none crosses a label
        pen.write(canvas, texts[i], plates[i], colors[i])
    return canvas


def draw_event(image_bgr: NDArray[np.uint8], event: Event) -> NDArray[np.uint8]:
    """A copy of the picture with the box of the object that did it, and what it did.

    Args:
        image_bgr: uint8 ``[H, W, 3]``; left as it is.
        event: its box in pixels of this picture.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    canvas = image_bgr.copy()
    height, width = canvas.shape[:2]
    thickness = stroke_width(width, height)
    pen = Pen.for_thickness(thickness)
    color = class_color(_EVENT_COLORS[event.kind])
    box = np.rint(event.box_xyxy).astype(int).tolist()
    did = f"{event.kind} {event.direction}" if event.direction else event.kind
    stayed = "" if event.inside_s is None else f" after {event.inside_s:.1f} s"
    text = f"#{event.track} {event.label}: {did} {event.place}{stayed}"
    far = (max(box[0], min(box[2], width) - 1), max(box[1], min(box[3], height) - 1))
    cv2.rectangle(canvas, (box[0], box[1]), far, color, thickness, cv2.LINE_AA)
    pen.write(canvas, text, place_text(box, *pen.plate_size(text), canvas.shape[:2], []), color)
    return canvas


def place_text(
    box: list[int], width: int, height: int, picture_hw: tuple[int, int], taken: list[tuple[int, int, int, int]]
) -> tuple[int, int, int, int]:
    """Where a text stands: above its box, else inside the box's top, else below it, else over other texts.

    Args:
        box: left, top, right, bottom in pixels.
        width: of the text.
        height: of the text.
        picture_hw: ``(height, width)`` of the image.
        taken: places of other texts, as this function returns them.

    Returns:
        left, top, right, bottom in pixels.
    """
    left = max(0, min(box[0], picture_hw[1] - width))
    tops = [top for top in (box[1] - height, box[1], box[3]) if 0 <= top <= picture_hw[0] - height]
    places = [(left, top, left + width, top + height) for top in tops or [0]]
    return next((place for place in places if not any(_overlap(place, other) for other in taken)), places[0])


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
