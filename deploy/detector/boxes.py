"""How much boxes overlap, in numpy."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def box_iou(first: ArrayLike, second: ArrayLike, is_crowd: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """IoU ``[N, M]`` in 0..1 of xyxy boxes ``[N, 4]`` and ``[M, 4]``; 0 where neither has an area.

    For boxes of ``second`` that are crowd regions, ``is_crowd`` ``[M]``, the part of the first box inside them counts
    instead, as in COCO's evaluation.
    """
    a, b = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (first, second))
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    shared = (np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner).clip(0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1] - shared
    if is_crowd is not None:
        union = np.where(is_crowd, areas[0][:, None], union)
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))
