"""Detections to and from the package ``supervision``, which tracks, counts in zones and draws.

    from fusedet.deploy.detector.supervision import to_supervision

    found = to_supervision(detector(image))
    image = supervision.BoxAnnotator().annotate(image, found)

``supervision`` is not needed for anything else: ``pip install 'fusedet[supervision]'``.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fusedet.common.errors import InputError
from fusedet.deploy.detector.detections import Detections

if TYPE_CHECKING:
    import supervision

__all__ = ["from_supervision", "to_supervision"]


def to_supervision(detections: Detections) -> "supervision.Detections":
    """The same boxes, scores and class ids for ``supervision``; class names are its ``data["class_name"]``.

    The arrays are copies.

    Raises:
        InputError: ``supervision`` is not installed.
    """
    try:
        import supervision
    except ImportError as error:
        raise InputError(f"supervision cannot be imported ({error}): install fusedet[supervision]") from error
    return supervision.Detections(
        xyxy=detections.boxes_xyxy.copy(),
        confidence=detections.scores.copy(),
        class_id=detections.class_ids.copy(),
        tracker_id=None if detections.track_ids is None else detections.track_ids.copy(),
        data={"class_name": np.array(detections.labels, dtype=str)},
    )


def from_supervision(found: "supervision.Detections", names: Sequence[str]) -> Detections:
    """Detections of ``supervision`` as ours, highest score first; masks and further data stay behind.

    Args:
        found: with scores and class ids.
        names: of all classes; a class id is an index into them.

    Raises:
        ValueError: scores or class ids are missing, or a class id has no name.
    """
    if found.confidence is None or found.class_id is None:
        missing = [key for key in ("confidence", "class_id") if getattr(found, key) is None]
        raise ValueError(f"detections must have confidence and class_id, but got none of {' and '.join(missing)}")
    order = np.argsort(-found.confidence, kind="stable")
    return Detections(
        np.asarray(found.xyxy, np.float32)[order],
        np.asarray(found.confidence, np.float32)[order],
        np.asarray(found.class_id, np.int64)[order],
        tuple(names),
        None if found.tracker_id is None else np.asarray(found.tracker_id, np.int64)[order],
    )
