"""What is in an image: python examples/detect_image.py street.jpg [MODEL] also writes street_boxes.jpg."""

import sys
from pathlib import Path

import cv2

from fusedet import Detector
from fusedet.deploy.drawing.draw import draw_detections

path = Path(sys.argv[1])
detector = Detector(sys.argv[2] if len(sys.argv) > 2 else "nano", score_threshold=0.25)

image = cv2.imread(str(path))  # uint8 [H, W, 3] in BGR; None where there is no image that can be read
if image is None:
    sys.exit(f"{path}: no image that OpenCV can read")

found = detector(image)  # boxes in pixels of the image, the best first
for label, score, (left, top, right, bottom) in zip(found.labels, found.scores, found.boxes_xyxy, strict=True):
    print(f"{label} {score:.2f} at {left:.0f} {top:.0f} {right:.0f} {bottom:.0f}")

boxes = path.with_name(f"{path.stem}_boxes.jpg")
cv2.imwrite(str(boxes), draw_detections(image, found))
print(f"{len(found)} found; written: {boxes}")
