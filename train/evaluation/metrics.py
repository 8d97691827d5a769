"""COCO's average precision of a set of detections, by faster-coco-eval."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from fusedet.deploy.detector.detections import Detections
from fusedet.train.data.coco import CocoDataset

#: COCO's limit of detections for each image.
MAX_DETECTIONS = 100


@dataclass(frozen=True)
class Metrics:
    """Accuracy on a data set, each in 0..1; NaN where the set has no object of that kind.

    Attributes:
        ap: AP averaged over IoU 0.50 to 0.95 (COCO's AP50-95).
        ap50: AP at IoU 0.50.
        ap75: AP at IoU 0.75.
        ap_small: AP of objects of an area below 32 x 32 pixels.
        ap_medium: AP of objects between 32 x 32 and 96 x 96 pixels.
        ap_large: AP of larger objects.
        ar: recall averaged over IoU 0.50 to 0.95, at most 100 detections for each image.
        per_class: class name to its ``(ap, ap50)``.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar: float
    per_class: dict[str, tuple[float, float]]

    def summary(self) -> dict[str, float]:
        """All figures but those of single classes, by name."""
        return {name: getattr(self, name) for name in SUMMARY_NAMES}


#: Names of the figures of a whole set.
SUMMARY_NAMES = tuple(field.name for field in fields(Metrics) if field.name != "per_class")


def evaluate_detections(dataset: CocoDataset, found: Mapping[int, Detections]) -> Metrics:
    """Compares detections, by image id and in pixels of the image, with the annotations; an image left out has none."""
    truth = COCO(dataset.ground_truth())
    results = [row for image_id, detections in found.items() for row in _coco_rows(image_id, detections)]
    if not results:
        # The evaluator refuses an empty list. Without detections precision and recall are 0 for every object.
        nothing = 0.0 if has_objects(dataset) else math.nan
        per_class = dict.fromkeys(dataset.names, (nothing, nothing))
        return Metrics(nothing, nothing, nothing, nothing, nothing, nothing, nothing, per_class)
    evaluator = COCOeval_faster(truth, truth.loadRes(results), "bbox")
    evaluator.params.maxDets = [1, 10, MAX_DETECTIONS]
    evaluator.evaluate()
    evaluator.accumulate()
    # [IoU thresholds, recall levels, classes, area ranges, detection limits] and the same without recall levels.
    precision, recall = evaluator.eval["precision"], evaluator.eval["recall"]
    per_class = {
        name: (_mean(precision[:, :, i, 0, -1]), _mean(precision[0, :, i, 0, -1]))
        for i, name in enumerate(dataset.names)
    }
    return Metrics(
        ap=_mean(precision[..., 0, -1]),
        ap50=_mean(precision[0, ..., 0, -1]),
        ap75=_mean(precision[5, ..., 0, -1]),
        ap_small=_mean(precision[..., 1, -1]),
        ap_medium=_mean(precision[..., 2, -1]),
        ap_large=_mean(precision[..., 3, -1]),
        ar=_mean(recall[..., 0, -1]),
        per_class=per_class,
    )


def has_objects(dataset: CocoDataset) -> bool:
    """Whether there is anything to find; in a set without objects every figure is NaN."""
    return any(not sample.crowd.all() for sample in dataset.samples)


def _mean(values: Any) -> float:
    """Mean of what the set has: the evaluator marks classes and sizes without an object by -1."""
    values = np.asarray(values)
    valid = values[values > -1]
    return float(valid.mean()) if valid.size else float("nan")


def _coco_rows(image_id: int, detections: Detections) -> list[dict[str, Any]]:
    boxes = detections.boxes_xyxy.astype(float)
    boxes[:, 2:] -= boxes[:, :2]  # xyxy -> xywh
    return [
        {"image_id": image_id, "category_id": int(label) + 1, "bbox": box.tolist(), "score": float(score)}
        for box, score, label in zip(boxes, detections.scores, detections.class_ids, strict=True)
    ]
