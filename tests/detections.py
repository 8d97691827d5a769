"""Detections written by hand."""

import numpy as np

from fusedet.deploy import Detections


def detections_of(names: tuple[str, ...], *rows: tuple[float, ...]) -> Detections:
    """Rows of ``(x1, y1, x2, y2, score, class)``."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64), names
    )


def assert_same(found: Detections, expected: Detections, side_px: float = 0.01, score: float = 1e-4) -> None:
    """As two forms of one network find them, of which there are some, in the same order."""
    assert len(found) == len(expected) > 0
    np.testing.assert_allclose(found.boxes_xyxy, expected.boxes_xyxy, atol=side_px)
    np.testing.assert_allclose(found.scores, expected.scores, atol=score)
    np.testing.assert_array_equal(found.class_ids, expected.class_ids)
