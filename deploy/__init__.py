"""Runs an exported detector with numpy, OpenCV and ONNX Runtime: no torch, no onnx.

    detector = Detector("model.onnx")
    detections = detector(cv2.imread("street.jpg"))
    print(detections.labels, detections.scores, detections.boxes_xyxy)

Training's evaluation letterboxes and decodes with the functions of this package, so that a score measured there is the
score that a camera gets here.
"""

import fusedet.common.privacy  # noqa: F401  before anything imports ONNX Runtime
from fusedet.deploy.detector.contract import Contract
from fusedet.deploy.detector.decoding import decode_outputs, nms
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.detector import Detector, Timings
from fusedet.deploy.detector.letterbox import Letterbox, letterbox, to_blob
from fusedet.deploy.detector.pool import DetectorPool
from fusedet.deploy.detector.session import open_session, read_contract

__all__ = [
    "Contract",
    "Detections",
    "Detector",
    "DetectorPool",
    "Letterbox",
    "Timings",
    "decode_outputs",
    "letterbox",
    "nms",
    "open_session",
    "read_contract",
    "to_blob",
]
