"""Pictures to measure with."""

import re
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources import open_source
from fusedet.deploy.detector.self_test import read_self_test
from fusedet.deploy.detector.session import open_session

__all__ = ["FRAME_HW", "load_pictures", "own_picture"]

#: Held in memory at once; more tell nothing new about speed.
_MOST = 20
#: Of a picture that stands for a camera's.
FRAME_HW = (480, 640)

Image = NDArray[np.uint8]


def load_pictures(source: str) -> list[Image]:
    """The first 20 pictures of a picture file, a folder, a glob or a video, decoded.

    Raises:
        InputError: there is nothing, or nothing that can be read, or it is a camera, whose pace is not the model's.
    """
    if source.isdecimal() or re.match(r"/dev/|\w+://", source):
        raise InputError(f"--images {source}: expected a picture, a folder, a glob or a video, but this is a camera")
    opened = open_source(source)
    try:
        images = [frame.image for frame in islice(opened, _MOST)]
    finally:
        opened.close()
    if not images:
        raise InputError(f"--images {source}: none of the pictures can be read")
    return images


def own_picture(model: Path) -> tuple[Image, str]:
    """The picture of the file's self-test, or noise where it has none, and which of them it is.

    Raises:
        InputError: the file cannot be used.
    """
    test = read_self_test(model, open_session(model, threads=1))
    if test is not None:
        return test.picture, "the model's own picture"
    noise = np.random.default_rng(0).integers(0, 256, (*FRAME_HW, 3), np.uint8)
    return noise, f"noise of {FRAME_HW[1]} x {FRAME_HW[0]}"
