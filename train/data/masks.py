"""The box around a segmentation of COCO: polygons, or a mask in runs, compressed or not."""

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.train.data.coco import is_number, is_whole

#: A compressed run is a number in base 32: five bits a character, and a sixth that says that more follow.
_FIRST_CHARACTER, _BITS, _MORE, _SIGN = 48, 5, 0x20, 0x10


def box_of_segmentation(segmentation: Any, size_wh: tuple[int, int] | None) -> list[float] | None:
    """The box ``[x, y, width, height]`` in pixels around a segmentation, whatever it is; None where it is none.

    Args:
        segmentation: a list of polygons ``[x1, y1, x2, y2, ...]`` or ``[[x1, y1], [x2, y2], ...]``, or a mask,
            ``{"size": [height, width], "counts": ...}``, perhaps in a list, whose runs of pixels without and with the
            object go down the columns.
        size_wh: of the image; a mask of another size is scaled to it.
    """
    if isinstance(segmentation, list) and len(segmentation) == 1 and isinstance(segmentation[0], dict):
        segmentation = segmentation[0]
    if isinstance(segmentation, dict):
        return _box_of_mask(segmentation, size_wh)
    polygons = segmentation if isinstance(segmentation, list) else []
    if any(is_number(value) for value in polygons):  # one polygon without the list around it
        polygons = [polygons]
    points = chain.from_iterable(polygon for polygon in polygons if isinstance(polygon, list))
    numbers = list(chain.from_iterable(point if isinstance(point, list) else [point] for point in points))
    if len(numbers) < 6 or len(numbers) % 2 or not all(is_number(number) for number in numbers):
        return None
    corners = np.array(numbers, np.float64).reshape(-1, 2)
    low, high = corners.min(0), corners.max(0)
    return [*low.tolist(), *(high - low).tolist()]


def _box_of_mask(mask: dict[str, Any], size_wh: tuple[int, int] | None) -> list[float] | None:
    runs, size = _runs(mask.get("counts")), mask.get("size")
    if runs is None or not isinstance(size, list) or len(size) != 2 or not all(is_whole(side) for side in size):
        return None
    height, width = int(size[0]), int(size[1])
    ends = np.cumsum(runs)
    if min(height, width) < 1 or (runs < 0).any() or not len(ends) or ends[-1] != height * width:
        return None
    starts, ends = (ends - runs)[1::2], ends[1::2]
    starts, ends = starts[ends > starts], ends[ends > starts]
    if not len(starts):
        return None
    columns, last_columns, rows, last_rows = (
        starts // height,
        (ends - 1) // height,
        starts % height,
        (ends - 1) % height,
    )
    over = last_columns > columns  # a run that goes on in the next column touches the lower border and the upper one
    top, bottom = np.where(over, 0, rows).min(), np.where(over, height - 1, last_rows).max()
    left, right = columns.min(), last_columns.max()
    scale_x, scale_y = (size_wh[0] / width, size_wh[1] / height) if size_wh else (1.0, 1.0)
    return [
        *(float(left * scale_x), float(top * scale_y)),
        *(float((right + 1 - left) * scale_x), float((bottom + 1 - top) * scale_y)),
    ]


def _runs(counts: Any) -> NDArray[np.int64] | None:
    """Lengths of the runs, the first of pixels without the object; None where they are none."""
    if isinstance(counts, str):
        counts = _decompressed(counts)
    if not isinstance(counts, list) or not all(is_whole(run) and 0 <= run < 1 << 31 for run in counts):
        return None
    return np.array(counts, np.int64)


def _decompressed(text: str) -> list[int] | None:
    """The runs of COCO's compressed form: from the third on each is stored less the one before the last."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        digit = ord(character) - _FIRST_CHARACTER
        if not 0 <= digit < 1 << (_BITS + 1) or shift > 60:
            return None
        value |= (digit & 0x1F) << shift
        shift += _BITS
        if digit & _MORE:
            continue
        if digit & _SIGN:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs if not shift else None
