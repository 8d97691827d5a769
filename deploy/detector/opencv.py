"""OpenCV, or one clear line about how to install it.

fusedet depends on no build of OpenCV itself, because the two builds exclude each other: a board without a screen wants
``opencv-python-headless`` (no libGL), a desktop wants ``opencv-python``. Everything in fusedet that needs OpenCV
imports it from here.
"""

from fusedet.common.errors import InputError

try:
    import cv2
except ImportError as error:  # also a build whose shared libraries, such as libGL, are missing
    raise InputError(
        f"OpenCV cannot be imported ({error}): install fusedet[headless], or fusedet[desktop] where there is a screen"
    ) from error

__all__ = ["cv2"]
