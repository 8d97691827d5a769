"""What a model finds in images: runs on both machines.

python see.py MODEL FOLDER OUT.npz
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from fusedet.deploy import Detector
from fusedet.deploy.detector.opencv import cv2

__all__ = ["LOWEST_SCORE", "see"]

#: A little below what is compared, so that the counterpart of a detection just above is there.
LOWEST_SCORE = 0.05


def see(model: Path, folder: Path, out: Path) -> None:
    """Writes boxes, scores and class ids of each image, and checksums of its pixels and of the network's input."""
    detector = Detector(model, score_threshold=LOWEST_SCORE, max_detections=1000, threads=1)
    arrays = {}
    for path in sorted(folder.iterdir()):
        image = cv2.imread(str(path))
        found = detector(image)
        (canvas,) = detector.prepare(image).feed.values()
        arrays[f"{path.name}/boxes"] = found.boxes_xyxy
        arrays[f"{path.name}/scores"] = found.scores
        arrays[f"{path.name}/class_ids"] = found.class_ids
        arrays[f"{path.name}/sums"] = np.array([_sum(image), _sum(canvas)])
    np.savez(out, **arrays)


def _sum(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


if __name__ == "__main__":
    see(*map(Path, sys.argv[1:]))
