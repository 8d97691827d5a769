"""Between the cameras' threads and the one that detects: for each camera, the frame that comes next."""

import threading
from collections import deque
from collections.abc import Sequence

from fusedet.deploy.camera.sources import Frame

#: Frames of a file that may wait.
_OF_A_FILE = 2


class LatestFrameBuffer:
    """A place for frames per camera, served in turn.

    A frame of a live camera takes the place of the one that still waits, which is dropped and counted: what is looked
    at is always the newest, so that the age of a result cannot grow. A frame of a file waits until there is room, so
    that none is lost; two may wait, so that whoever takes them need not wait for the reader.
    """

    def __init__(self, cameras: Sequence[str]) -> None:
        self._changed = threading.Condition()
        self._frames: dict[str, deque[Frame]] = {camera: deque() for camera in cameras}
        self._dropped = dict.fromkeys(cameras, 0)
        self._turn = list(cameras)
        self.closed = False

    def put(self, camera: str, frame: Frame, *, newest: bool) -> bool:
        """Hands a frame over; with ``newest`` in place of an older one, else once there is room.

        False when the buffer was closed, and the frame is dropped.
        """
        with self._changed:
            waiting = self._frames[camera]
            if not newest:
                self._changed.wait_for(lambda: self.closed or len(waiting) < _OF_A_FILE)
            if self.closed:
                self._dropped[camera] += 1
                return False
            if newest:
                self._dropped[camera] += len(waiting)
                waiting.clear()
            waiting.append(frame)
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float) -> tuple[str, Frame] | None:
        """The next frame, of the camera that has waited for its turn the longest; None when none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or any(self._frames.values()), timeout_s)
            for camera in self._turn:
                if self._frames[camera]:
                    frame = self._frames[camera].popleft()
                    self._turn.remove(camera)
                    self._turn.append(camera)
                    self._changed.notify_all()
                    return camera, frame
            return None

    def dropped(self, camera: str) -> int:
        """Frames of a camera that a newer one replaced, or that came after the end."""
        return self._dropped[camera]

    def close(self) -> None:
        """Takes no more frames; what is there can still be taken."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
