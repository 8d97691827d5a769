"""OpenCV, or one clear line about how to install it.

fusedet depends on no build of OpenCV itself, because the two builds exclude each other: a board without a screen wants
``opencv-python-headless`` (no libGL), a desktop wants ``opencv-python``. Everything in fusedet that needs OpenCV
imports it from here.
"""

import os

from fusedet.common.errors import InputError

# While OpenCV opens one address or file with FFmpeg, it lets no other be opened: a camera that does not answer would
# hold back all others and every recording for its whole timeout. FFmpeg has needed no such lock since its version 4.
os.environ.setdefault("OPENCV_FFMPEG_IS_THREAD_SAFE", "1")

try:
    import cv2
except ImportError as error:  # also a build whose shared libraries, such as libGL, are missing
    raise InputError(
        f"OpenCV cannot be imported ({error}): install fusedet[headless], or fusedet[desktop] where there is a screen"
    ) from error

__all__ = ["cv2"]
