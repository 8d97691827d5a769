"""Arguments that programs give: what is no number, or none in range, is said in one line. Standard library only."""

import math
import numbers
import operator
from typing import SupportsIndex

from fusedet.common.errors import InputError
from fusedet.common.plain_json import short

#: Where no NMS is due, the lower-scored of two boxes of a class whose IoU is above this is a duplicate detection. A
#: one-to-one branch means to report each object once, but reports some twice, with nearly the same box. A higher value
#: leaves more of them; a lower one takes people in a crowd for each other's duplicates (docs/recipe.md).
DUPLICATE_IOU = 0.7


def check_fraction(name: str, value: object, instead: str = "") -> None:
    """Raises InputError for what is no number in 0..1; ``instead`` says what else it may be."""
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, numbers.Real) else float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not 0 <= number <= 1:  # NaN is not
        raise InputError(f"{name} must be in 0..1{instead}, but got {short(value)}")


def check_whole(name: str, value: object, most: int | None = None) -> None:
    """Raises InputError for what is no whole number, 1 or more, and no more than ``most``."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise InputError(f"{name} must be a whole number, but got {short(value)}")
    number = operator.index(value)
    if number < 1:
        raise InputError(f"{name} must be at least 1, but got {value}")
    if most is not None and number > most:
        raise InputError(f"{name} must be at most {most}, but got {value}")


def check_duplicate_iou(value: float | None) -> None:
    """Raises InputError for a ``duplicate_iou`` that is neither an IoU nor None, which keeps duplicate detections."""
    if value is not None:
        check_fraction("duplicate_iou", value, ", or None to keep duplicate detections")
