"""How a source is to be read."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SourceSettings:
    """Wishes for cameras, limits for addresses, and how files are played. Each kind of source takes what is its own.

    Attributes:
        width: pixels, asked of a camera; it gives what it can. None leaves it to the camera, here and below.
        height: likewise.
        fps: frames in a second, likewise; of a camera or an address that gives more, the rest is left out, and one
            that gives an image for each request is asked so often (None: once a second).
        fourcc: four letters, the pixel format asked of a USB camera; ``MJPG`` lets most give more frames.
        transport: of RTSP.
        timeout_s: a camera or an address that is silent for so long counts as lost.
        frozen_s: a camera or an address that gives exactly one and the same image for so long is opened anew; None
            never.
        pace: a video file is played at its own speed; otherwise it is read as fast as frames are taken.
        loop: a video file begins again when it ends.
        follow: a folder has no end: its images are followed by those that are put there later.
    """

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    fourcc: str | None = None
    transport: Literal["tcp", "udp"] = "tcp"
    timeout_s: float = 5.0
    frozen_s: float | None = None
    pace: bool = False
    loop: bool = False
    follow: bool = False
