"""Puts a self-test into exported files: one of the images, and what they find in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from fusedet.deploy.detector.detector import Detector
from fusedet.deploy.detector.opencv import cv2
from fusedet.deploy.detector.self_test import SelfTest
from fusedet.export.graph.nodes import metadata_of

#: Scores from which a box belongs to the test, the first at which some image has one.
_THRESHOLDS = (0.25, 0.1)
#: More boxes prove no more.
_MOST_BOXES = 20


def choose_self_test(model: Path, images: Mapping[str, NDArray[np.uint8]]) -> SelfTest | None:
    """The image in which an exported file finds most, of those with at most 20 boxes, and these boxes.

    The image is reduced to the size of the network's input: it travels with the file. None where no image will do.
    """
    for threshold in _THRESHOLDS:
        detector = Detector(model, score_threshold=threshold, duplicate_iou=None, threads=1)
        tests = (_test(detector, image, threshold) for image in images.values())
        usable = [test for test in tests if 0 < len(test.expected) <= _MOST_BOXES]
        best = max(usable, key=lambda test: len(test.expected), default=None)
        if best is not None:
            return best
    return None


def embed_self_test(test: SelfTest, models: Sequence[Path]) -> None:
    """Writes the test into ONNX files, in the place of one that they may hold."""
    for path in models:
        model = onnx.load(path)
        onnx.helper.set_model_props(model, {**metadata_of(model), **test.to_metadata()})
        path.write_bytes(model.SerializeToString(deterministic=True))


def _test(detector: Detector, image: NDArray[np.uint8], threshold: float) -> SelfTest:
    height, width = detector.input_size
    scale = min(height / image.shape[0], width / image.shape[1])
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return SelfTest(image, detector(image), threshold)
