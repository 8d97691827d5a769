import contextlib
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fusedet.train.evaluation.metrics import evaluate_detections
from tests.train.samples import dataset, detections, random_set, sample


def test_perfect_detections():
    truth = dataset(sample(1, [[10, 10, 50, 50]], [0]), sample(2, [[0, 0, 120, 120]], [1]))
    found = {1: detections([[10, 10, 50, 50]], [0.9], [0]), 2: detections([[0, 0, 120, 120]], [0.8], [1])}
    metrics = evaluate_detections(truth, found)
    assert metrics.ap == metrics.ap50 == metrics.ap75 == metrics.ar == pytest.approx(1.0)
    assert metrics.ap_medium == metrics.ap_large == pytest.approx(1.0)
    assert np.isnan(metrics.ap_small), "there is no small object"
    assert metrics.per_class == {"cat": (pytest.approx(1.0), pytest.approx(1.0)), "dog": (pytest.approx(1.0),) * 2}


def test_nothing_found():
    metrics = evaluate_detections(dataset(sample(1, [[0, 0, 100, 100]], [0])), {})
    assert metrics.ap == metrics.ar == 0.0


def test_agrees_with_pycocotools(tmp_path):
    """Random boxes with jittered, missing, doubled and invented detections, against COCO's own code."""
    truth, found = random_set()
    ours = evaluate_detections(truth, found)

    (tmp_path / "truth.json").write_text(json.dumps(truth.ground_truth()))
    rows = [
        {
            "image_id": image_id,
            "category_id": int(label) + 1,
            "bbox": [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])],
            "score": float(score),
        }
        for image_id, d in found.items()
        for box, score, label in zip(d.boxes_xyxy.astype(float), d.scores, d.class_ids, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCO(str(tmp_path / "truth.json"))
        grader = COCOeval(theirs, theirs.loadRes(rows), "bbox")
        grader.evaluate()
        grader.accumulate()
        grader.summarize()
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    expected = dict(zip(names, grader.stats[:6], strict=True)) | {"ar": grader.stats[8]}
    assert 0.1 < expected["ap"] < 0.9, "the case must be neither trivial nor hopeless"
    assert ours.summary() == pytest.approx(expected, abs=1e-6)
