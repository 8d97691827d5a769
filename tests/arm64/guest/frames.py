"""The pixels of a video, as OpenCV reads it on this machine.

python frames.py VIDEO OUT.npy
"""

import sys
from pathlib import Path

import cv2
import numpy as np

__all__ = ["frames"]


def frames(video: Path) -> list[np.ndarray]:
    """All frames, uint8 ``[H, W, 3]``."""
    capture = cv2.VideoCapture(str(video))
    images = []
    while (read := capture.read())[0]:
        images.append(read[1])
    capture.release()
    return images


if __name__ == "__main__":
    np.save(sys.argv[2], np.stack(frames(Path(sys.argv[1]))))
