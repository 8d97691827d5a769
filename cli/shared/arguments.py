"""Arguments that several commands have."""

import argparse

from fusedet.common.duplicates import DUPLICATE_IOU

__all__ = ["add_duplicate_iou"]


def add_duplicate_iou(parser: argparse.ArgumentParser) -> None:
    """Declares ``--duplicate-iou``: ``duplicate_iou`` of what is parsed is in 0..1, or None for ``off``."""
    parser.add_argument(
        "--duplicate-iou",
        type=_duplicate_iou,
        default=DUPLICATE_IOU,
        metavar="IOU",
        help="without NMS, remove the lower-scored of two boxes of a class that overlap by more than this, 0..1; off "
        "keeps both (default: %(default)s)",
    )


def _duplicate_iou(text: str) -> float | None:
    if text == "off":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:  # NaN is not
        raise argparse.ArgumentTypeError(f"expected an IoU in 0..1 or off, but got {text!r}")
    return value
