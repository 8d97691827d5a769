"""Images to measure with."""

import re
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources import open_source
from fusedet.deploy.detector.self_test import read_self_test
from fusedet.deploy.detector.session import open_session

#: Of an image that stands for a camera's.
FRAME_HW = (480, 640)

Image = NDArray[np.uint8]


def load_images(source: str | Path, limit: int) -> dict[str, Image]:
    """The first ``limit`` images of an image file, a folder, a glob or a video, decoded, by name.

    Raises:
        InputError: there is nothing, or nothing that can be read, or it is a camera, which never ends.
    """
    if str(source).isdecimal() or re.match(r"/dev/|\w+://", str(source)):
        raise InputError(f"{source}: expected an image, a folder, a glob or a video, but this is a camera")
    with closing(open_source(str(source))) as opened:
        images = {f"{frame.name} #{frame.index}": frame.image for frame in islice(opened, limit)}
    if not images:
        raise InputError(f"{source}: none of the images can be read")
    return images


def own_image(model: Path) -> tuple[Image, str]:
    """The image of the file's self-test, or noise where it has none, and which of them it is.

    Raises:
        InputError: the file cannot be used.
    """
    test = read_self_test(model, open_session(model, threads=1))
    if test is not None:
        return test.image, "the model's own image"
    noise = np.random.default_rng(0).integers(0, 256, (*FRAME_HW, 3), np.uint8)
    return noise, f"noise of {FRAME_HW[1]} x {FRAME_HW[0]}"
