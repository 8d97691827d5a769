import base64
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from fusedet.train.evaluation.matching import Judged, judge
from fusedet.train.evaluation.report.images import COLORS, best_and_worst, image_pair
from tests.train.samples import detections, sample

LEFT, RIGHT, FAR = [0, 0, 40, 40], [50, 0, 90, 40], [150, 50, 190, 90]


def judged(image_id: int, objects, found) -> Judged:
    scores = [0.9 - 0.01 * i for i in range(len(found))]
    return judge(sample(image_id, objects, [0] * len(objects)), detections(found, scores, [0] * len(found)), 0.5)


def test_the_best_and_the_worst_are_chosen() -> None:
    images = [
        judged(1, [LEFT], [LEFT]),
        judged(2, [LEFT, RIGHT], [LEFT, RIGHT]),
        judged(3, [LEFT], []),
        judged(4, [LEFT, RIGHT], [FAR]),
        judged(5, [], []),
    ]
    best, worst = best_and_worst(images)
    assert [one.sample.image_id for one in best] == [2, 1], "an image of nothing, in which nothing is found, is dull"
    assert [one.sample.image_id for one in worst] == [4, 3]
    assert [len(part) for part in best_and_worst(images, worst=1, best=1)] == [1, 1]


def test_a_pair_shows_one_small_image_and_names_the_errors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "noise.png"
    cv2.imwrite(str(path), rng.integers(0, 256, (900, 1800, 3), dtype=np.uint8))
    one = judged(1, [LEFT, RIGHT], [LEFT, FAR])
    pair = image_pair(replace(one, sample=replace(one.sample, path=path, width=1800, height=900)))
    assert pair.objects.source == pair.detections.source
    data = base64.b64decode(pair.objects.source.removeprefix("data:image/jpeg;base64,"))
    assert max(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2]) == 560
    assert len(data) < 90_000, "noise compresses badly, and yet"
    assert pair.name == "noise.png"
    assert pair.object_count == 2
    assert pair.verdict == "1 right, 1 missed, 1 false"
    for shown in (pair.objects, pair.detections):
        assert [mark.color for mark in shown.marks] == [COLORS["good"], COLORS["bad"]], "errors lie on top"
        assert [mark.stands_out for mark in shown.marks] == [False, True]
        assert len(shown.plates) == 2
