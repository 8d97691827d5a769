"""Training's evaluation finds what the exported file finds, with the same steps behind the network."""

from pathlib import Path

import numpy as np
import pytest

from fusedet.deploy import DetectorPool
from fusedet.export import export_onnx
from fusedet.export.proof.images import draw_images
from fusedet.train.config import EvalConfig
from fusedet.train.evaluation.evaluate import TorchDetector, load_predictor
from tests.export.networks import NAMES, small_config, trained_net

IMAGES = list(draw_images(4).values())


@pytest.mark.parametrize("nms", [False, True])
def test_duplicates_are_removed_as_by_the_library(nms: bool, tmp_path: Path) -> None:
    net = trained_net(small_config())
    file = export_onnx(net, tmp_path / "model.onnx", names=NAMES, nms=nms).plain
    counts = {}
    for duplicate_iou in (None, 0.5, 0.2):
        config = EvalConfig(score_threshold=0.01, nms=nms, duplicate_iou=duplicate_iou)
        in_torch = TorchDetector(net, NAMES, config).batch(IMAGES)
        in_onnx = load_predictor(file, config)
        assert isinstance(in_onnx, DetectorPool)
        assert {detector.duplicate_iou for detector in in_onnx.detectors} == {duplicate_iou}
        for one, other in zip(in_torch, in_onnx.batch(IMAGES), strict=True):
            assert len(one) == len(other)
            np.testing.assert_allclose(one.scores, other.scores, atol=2e-3)  # inhibition multiplies rounding
        counts[duplicate_iou] = sum(map(len, in_torch))
    if nms:
        assert len(set(counts.values())) == 1, "NMS has its own IoU"
    else:
        assert counts[None] > counts[0.5] > counts[0.2] > 0
