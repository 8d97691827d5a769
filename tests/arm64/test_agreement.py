"""What counts as the same: a hair of score and of place, and no more."""

import numpy as np
import pytest

from tests.arm64.agreement import Seen, agree, detections


def seen(score: float, left: float = 10.0, class_id: int = 0) -> dict[str, Seen]:
    boxes, scores = np.array([[left, 10, 50, 50]], np.float32), np.array([score], np.float32)
    return {"image": Seen(detections(boxes, scores, np.array([class_id])), "", "")}


@pytest.mark.parametrize("other", [seen(0.5), seen(0.5009), seen(0.5, left=10.1)])
def test_a_hair_is_the_same(other: dict[str, Seen]) -> None:
    assert agree(seen(0.5), other).matched_share == 1


@pytest.mark.parametrize("other", [seen(0.5015), seen(0.5, left=11), seen(0.5, class_id=1), seen(0.06)])
def test_more_is_not(other: dict[str, Seen]) -> None:
    agreement = agree(seen(0.5), other)

    assert agreement.matched_share == 0
    assert agreement.missing
