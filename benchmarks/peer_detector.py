"""Runs a file that Ultralytics exported as Ultralytics does, behind the interface that fusedet grades."""

import ast
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fusedet.deploy import Contract, Detections
from fusedet.deploy.postprocess import decode_outputs
from fusedet.deploy.preprocess import Letterbox, to_blob
from fusedet.deploy.session import open_session

#: Thresholds of Ultralytics' ``val``.
SCORE_THRESHOLD, NMS_IOU, MAX_DETECTIONS = 0.001, 0.7, 300

Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


class PeerDetector:
    """A detector of yolov8, yolo11 or yolo26: what its output needs, NMS or not, shows in its shape.

    Args:
        path: an ONNX file of a fixed, square input size.
        threads: for the network.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._session = open_session(path, threads)
        self._input = self._session.get_inputs()[0]
        side = self._input.shape[-1]
        # Ultralytics writes {0: 'cat', 1: 'dog'}.
        names = ast.literal_eval(self._session.get_modelmeta().custom_metadata_map["names"])
        self.contract = Contract(
            names=tuple(names[i] for i in range(len(names))),
            input_size=(side, side),
            input_format="float32_nchw_rgb",
            nms=not is_nms_free(self._session.get_outputs()[0].shape),
            nms_iou=NMS_IOU,
            activation="silu",
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Class names; a class id is an index into them."""
        return self.contract.names

    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections in each picture, in its own pixels."""
        return [self._detect(image) for image in images_bgr]

    def _detect(self, image_bgr: NDArray[np.uint8]) -> Detections:
        canvas, place = letterbox(image_bgr, self.contract.input_size[0], self.contract.pad_value)
        blob = to_blob([canvas], self.contract.input_format)
        (output,) = self._session.run(None, {self._input.name: blob})[0]
        boxes, scores, class_ids = candidates(output)
        return decode_outputs(
            boxes, scores, class_ids, place, self.contract, SCORE_THRESHOLD, MAX_DETECTIONS, one_label=False
        )


def letterbox(image_bgr: NDArray[np.uint8], side: int, pad_value: int) -> tuple[NDArray[np.uint8], Letterbox]:
    """Ultralytics' letterbox: the runtime's, but for the resize, which gives other bits on other processors.

    Args:
        image_bgr: uint8 ``[h, w, 3]``.
        side: of the square input in pixels.
        pad_value: grey level of the bars.
    """
    height, width = image_bgr.shape[:2]
    place = Letterbox(min(side / height, side / width), 0, 0, width, height)
    rows, columns = place.resized
    place = replace(place, left=round((side - columns) / 2 - 0.1), top=round((side - rows) / 2 - 0.1))
    canvas = np.full((side, side, 3), pad_value, np.uint8)
    canvas[place.top : place.top + rows, place.left : place.left + columns] = cv2.resize(
        image_bgr, (columns, rows), interpolation=cv2.INTER_LINEAR
    )
    return canvas, place


def is_nms_free(output_shape: Sequence[int]) -> bool:
    """``[1, K, 6]`` is a list of detections; ``[1, 4 + classes, points]`` is all that the network says."""
    return output_shape[2] == 6


def candidates(output: NDArray[np.float32]) -> Candidates:
    """Boxes ``[N, 4]`` xyxy in pixels of the input, scores ``[N]`` and class ids ``[N]`` of one picture.

    Args:
        output: ``[K, 6]``: xyxy, score, class; or ``[4 + classes, points]``: centre, size, and a score for each class,
            of which every one above the threshold counts (Ultralytics' ``multi_label``).
    """
    if is_nms_free((1, *output.shape)):
        return output[:, :4], output[:, 4], output[:, 5].astype(np.int64)
    centres, sizes, scores = output[:2].T, output[2:4].T, output[4:].T  # [points, 2], [points, 2], [points, classes]
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    points, class_ids = np.nonzero(scores > SCORE_THRESHOLD)
    return boxes[points], scores[points, class_ids], class_ids
