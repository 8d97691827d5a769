"""The detector library: a file, an image, detections."""
