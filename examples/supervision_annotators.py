"""Draws with roboflow/supervision: python examples/supervision_annotators.py street.jpg out.jpg [MODEL].

It needs pip install 'fusedet[desktop,supervision]'.
"""

import sys

import cv2
import supervision

from fusedet import Detector
from fusedet.deploy.detector.supervision import to_supervision

path, out = sys.argv[1:3]
detector = Detector(sys.argv[3] if len(sys.argv) > 3 else "nano")

image = cv2.imread(path)
found = to_supervision(detector(image))  # supervision.Detections: its trackers, zones and annotators take them
labels = [f"{name} {score:.2f}" for name, score in zip(found["class_name"], found.confidence, strict=True)]

image = supervision.RoundBoxAnnotator().annotate(image, found)
image = supervision.LabelAnnotator().annotate(image, found, labels)
cv2.imwrite(out, image)
print(f"{len(found)} found; written: {out}")
