"""All images of a folder, as a table: python examples/batch_folder.py images found.csv [MODEL]."""

import csv
import sys
from contextlib import closing

from fusedet import Detector
from fusedet.deploy.camera.sources import open_source

folder, table = sys.argv[1:3]
detector = Detector(sys.argv[3] if len(sys.argv) > 3 else "nano")

# "x" replaces no table that is there. A quoted 'folder/**/*.jpg' reaches the folders in the folder.
with open(table, "x", newline="", encoding="utf-8") as file, closing(open_source(folder)) as images:
    writer = csv.writer(file)
    writer.writerow(["image", "class", "score", "left", "top", "right", "bottom"])
    for frame in images:
        found = detector(frame.image)
        for label, score, box in zip(found.labels, found.scores, found.boxes_xyxy, strict=True):
            writer.writerow([frame.name, label, f"{score:.4f}", *(f"{side:.1f}" for side in box)])

print(f"written: {table}; images that could not be read: {images.unreadable}")
