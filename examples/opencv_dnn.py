"""Runs the plain file of `fusedet export RUN --layout ultralytics` in OpenCV's DNN module, without fusedet.

python examples/opencv_dnn.py best.ultralytics.onnx street.jpg [SIDE]
"""

import sys

import cv2
import numpy as np

model, path = sys.argv[1:3]
side = int(sys.argv[3]) if len(sys.argv) > 3 else 320  # of the network's input

image = cv2.imread(path)
scale = side / max(image.shape[:2])
rows, columns = (max(1, round(length * scale)) for length in image.shape[:2])
top, left = (side - rows) // 2, (side - columns) // 2
canvas = np.full((side, side, 3), 114, np.uint8)  # letterbox: in proportion, centred between grey bars
resized = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR_EXACT)
canvas[top : top + rows, left : left + columns] = resized

network = cv2.dnn.readNetFromONNX(model)
network.setInput(cv2.dnn.blobFromImage(canvas, 1 / 255, swapRB=True))
points = network.forward()[0].T  # [points, 4 + classes]: centre, width and height in pixels of the canvas, then scores
scores, class_ids = points[:, 4:].max(1), points[:, 4:].argmax(1)
corners = (points[:, :2] - points[:, 2:4] / 2 - (left, top)) / scale
boxes = np.concatenate([corners, points[:, 2:4] / scale], 1)  # x, y, width, height in pixels of the image
for i in np.ravel(cv2.dnn.NMSBoxesBatched(boxes.tolist(), scores.tolist(), class_ids.tolist(), 0.25, 0.7)).astype(int):
    print(f"class {class_ids[i]} {scores[i]:.2f} at x, y, width, height {np.round(boxes[i]).astype(int).tolist()}")
