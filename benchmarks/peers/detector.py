"""Runs a file that Ultralytics exported as Ultralytics does, behind the interface that fusedet grades."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fusedet.deploy import Detector
from fusedet.deploy.detector.formats import UltralyticsFile
from fusedet.deploy.detector.letterbox import Letterbox
from fusedet.deploy.detector.session import open_session

#: Thresholds of Ultralytics' ``val``; its suppression is that of the runtime for its files.
SCORE_THRESHOLD, MAX_DETECTIONS = 0.001, 300


class PeerFile(UltralyticsFile):
    """The format with Ultralytics' own letterbox."""

    def prepare(self, image_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Letterbox]:
        """See :func:`letterbox`."""
        return letterbox(image_bgr, self.contract.input_size[0], self.contract.pad_value)


class PeerDetector(Detector):
    """A detector of yolov8, yolo11 or yolo26: an ONNX file of a square input."""

    format: UltralyticsFile

    def __init__(self, path: Path, threads: int | None = None) -> None:
        session = open_session(path, threads)
        super().__init__(
            path,
            score_threshold=SCORE_THRESHOLD,
            max_detections=MAX_DETECTIONS,
            one_label=False,
            duplicate_iou=None,  # Ultralytics removes none
            session=session,
        )
        self.format = PeerFile(session, str(path))


def letterbox(image_bgr: NDArray[np.uint8], side: int, pad_value: int) -> tuple[NDArray[np.uint8], Letterbox]:
    """Ultralytics' letterbox of uint8 ``[h, w, 3]``: the runtime's, but for the resize, which gives other bits on other
    processors.
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
