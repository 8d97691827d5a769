"""Duplicate detections: what a detector without NMS reports twice. Standard library only, as a board needs it."""

from fusedet.common.arguments import check_fraction

#: Where no NMS is due, the lower-scored of two boxes of a class whose IoU is above this is a duplicate detection. A
#: one-to-one branch means to report each object once, but reports some twice, with nearly the same box. A higher value
#: leaves more of them; a lower one takes people in a crowd for each other's duplicates (``benchmarks.camera.crowds``).
DUPLICATE_IOU = 0.7


def check_duplicate_iou(value: float | None) -> None:
    """Checks the setting ``duplicate_iou``: an IoU, or None, which keeps duplicate detections.

    Raises:
        InputError: it is something else.
    """
    if value is not None:
        check_fraction("duplicate_iou", value, ", or None to keep duplicate detections")
