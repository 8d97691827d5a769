"""The box around a segmentation of COCO: polygons, or a mask in runs, compressed or not."""

import ast
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.train.data.coco import is_number, is_whole
from fusedet.train.data.image_cache import same_shape

#: A compressed run is a number in base 32: five bits a character, and a sixth that says that more follow.
_FIRST_CHARACTER, _BITS, _MORE, _SIGN = 48, 5, 0x20, 0x10


def box_of_segmentation(segmentation: Any, size_wh: tuple[int, int] | None) -> list[float] | None:
    """The box ``[x, y, width, height]`` in pixels around a segmentation, whatever it is; None where it is none.

    Args:
        segmentation: a list of polygons ``[x1, y1, x2, y2, ...]`` or ``[[x1, y1], [x2, y2], ...]``, or a mask,
            ``{"size": [height, width], "counts": ...}``, perhaps in a list, whose runs of pixels without and with the
            object go down the columns.
        size_wh: of the image; a mask of another size but the same shape is scaled to it. One whose size is
            ``[width, height]`` has its runs down the columns or along the rows, whichever gives the smaller box: read
            the wrong way, they are strewn over the image. Polygons in 0..1 are parts of it.
    """
    if (mask := _mask_of(segmentation)) is not None:
        return _box_of_mask(mask, size_wh)
    polygons = segmentation if isinstance(segmentation, list) else []
    if any(is_number(value) for value in polygons):  # one polygon without the list around it
        polygons = [polygons]
    points = chain.from_iterable(polygon for polygon in polygons if isinstance(polygon, list))
    numbers = list(chain.from_iterable(point if isinstance(point, list) else [point] for point in points))
    if len(numbers) < 6 or len(numbers) % 2 or not all(is_number(number) for number in numbers):
        return None
    corners = np.array(numbers, np.float64).reshape(-1, 2)
    if size_wh is not None and (corners >= 0).all() and (corners <= 1).all() and (corners % 1).any():
        corners *= size_wh
    low, high = corners.min(0), corners.max(0)
    return [*low.tolist(), *(high - low).tolist()]


def mask_of_another_shape(segmentation: Any, size_wh: tuple[int, int]) -> tuple[int, int] | None:
    """``(height, width)`` of a mask in runs whose shape is not that of an image of ``size_wh``; None of all else."""
    mask = _runs_and_size(_mask_of(segmentation) or {})
    return None if mask is None or same_shape(mask[1][::-1], size_wh) else mask[1]


def _mask_of(segmentation: Any) -> dict[str, Any] | None:
    if isinstance(segmentation, list) and len(segmentation) == 1:
        segmentation = segmentation[0]
    return segmentation if isinstance(segmentation, dict) else None


def _runs_and_size(mask: dict[str, Any]) -> tuple[NDArray[np.int64], tuple[int, int]] | None:
    """Lengths of the runs, height and width; None where they do not agree."""
    runs, size = _runs(mask.get("counts")), mask.get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(is_whole(side) and 1 <= side < 1 << 31 for side in size):
        return None
    height, width = int(size[0]), int(size[1])
    return None if runs is None or runs.sum() != height * width else (runs, (height, width))


def _box_of_mask(mask: dict[str, Any], size_wh: tuple[int, int] | None) -> list[float] | None:
    if (found := _runs_and_size(mask)) is None:
        return None
    runs, size = found
    if size_wh is None or same_shape(size[::-1], size_wh):
        return _scaled(_box_of_runs(runs, size[0]), size, size_wh)
    if not same_shape(size, size_wh):
        return None
    by_columns, by_rows = _box_of_runs(runs, size[1]), _box_of_runs(runs, size[0])
    if by_columns is None or by_rows is None:
        return None
    x, y, width, height = by_rows
    box = min(by_columns, [y, x, height, width], key=lambda box: box[2] * box[3])
    return _scaled(box, size[::-1], size_wh)


def _scaled(box: list[float] | None, size_hw: tuple[int, int], size_wh: tuple[int, int] | None) -> list[float] | None:
    """A box of a mask of ``size_hw`` in the image."""
    if box is None or size_wh is None:
        return box
    scale_x, scale_y = size_wh[0] / size_hw[1], size_wh[1] / size_hw[0]
    return [box[0] * scale_x, box[1] * scale_y, box[2] * scale_x, box[3] * scale_y]


def _box_of_runs(runs: NDArray[np.int64], height: int) -> list[float] | None:
    """The box around runs down columns of ``height``; None where no pixel is the object's."""
    ends = np.cumsum(runs)
    starts, ends = (ends - runs)[1::2], ends[1::2]
    starts, ends = starts[ends > starts], ends[ends > starts]
    if not len(starts):
        return None
    columns, rows = np.divmod(starts, height)
    last_columns, last_rows = np.divmod(ends - 1, height)
    over = last_columns > columns  # a run that goes on in the next column touches the lower border and the upper one
    top, bottom = np.where(over, 0, rows).min(), np.where(over, height - 1, last_rows).max()
    left, right = columns.min(), last_columns.max()
    return [float(left), float(top), float(right + 1 - left), float(bottom + 1 - top)]


def _runs(counts: Any) -> NDArray[np.int64] | None:
    """Lengths of the runs, the first of pixels without the object; None where they are none."""
    if isinstance(counts, str):
        counts = _decompressed(_without_quotes(counts))
    if not isinstance(counts, list) or not all(is_whole(run) and 0 <= run < 1 << 31 for run in counts):
        return None
    return np.array(counts, np.int64)


def _without_quotes(text: str) -> str:
    """Bytes become ``b'...'`` where a program writes them as text without decoding them."""
    if not text.startswith(("b'", 'b"')):
        return text
    try:
        return bytes(ast.literal_eval(text)).decode("latin-1")
    except (SyntaxError, ValueError, TypeError):
        return text


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
