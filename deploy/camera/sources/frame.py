"""What a source gives, and what it tells about itself."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Frame:
    """One image of a source.

    Attributes:
        image: uint8 ``[H, W, 3]`` in BGR.
        source: the file, camera or address it is from, without user names, passwords and tokens.
        name: a relative path that no other image of the source has; a stream's frames share theirs.
        index: its place in the source, from 0; images of a folder that cannot be read and frames that nobody took in
            time have a place as well. It goes on over reconnections and repetitions.
        time_s: seconds since the start of a video or a camera, later than that of the frame before whatever the
            source's own stamps do; None for an image.
        captured_s: ``time.monotonic()`` when the image was there.
        taken_at: seconds since 1970 (UTC) at that time.
    """

    image: NDArray[np.uint8]
    source: str
    name: str
    index: int
    time_s: float | None
    captured_s: float = field(default_factory=time.monotonic)
    taken_at: float = field(default_factory=time.time)


@dataclass(frozen=True)
class SourceHealth:
    """How a source is.

    Attributes:
        connected: images come; always so for files.
        reconnects: how often a camera or an address was opened anew and gave images again.
        error: why no images come, or what is missing of them, in a few words; None while all is well.
        alive_s: ``time.monotonic()`` when it got on for the last time by itself: it tried to open a camera, or waited
            for the time of the next frame, which it still does where this is now. Minus infinity if it tells nothing.
    """

    connected: bool = True
    reconnects: int = 0
    error: str | None = None
    alive_s: float = -math.inf


class Source(Protocol):
    """Gives frames until it ends.

    Attributes:
        label: a short name, fit for a folder.
        fps: frames in a second of a stream, None for images.
        live: True for a camera or an address, which has no end of its own.
        drops: True where time does not wait for whoever takes the frames: a camera, an address, or a file that is
            played at its own speed. Old frames are worth nothing then, and whoever is late should leave them out.
        files: what is read, so that nobody writes there; empty for a camera and an address.
        unreadable: images left out so far because they could not be read.
    """

    label: str
    fps: float | None
    live: bool
    drops: bool
    files: tuple[Path, ...]
    unreadable: int

    @property
    def health(self) -> SourceHealth:
        """How it is now; may be asked from any thread, also after the end."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """The frames, once."""
        ...

    def close(self) -> None:
        """Gives the file or the camera back, and ends an iteration that goes on in another thread.

        May be called from any thread, more than once.
        """
        ...
