"""Detections written by hand."""

import numpy as np

from fusedet.deploy import Detections


def detections_of(names: tuple[str, ...], *rows: tuple[float, ...]) -> Detections:
    """Rows of ``(x1, y1, x2, y2, score, class)``."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64), names
    )
