"""A folder of annotated images."""

from pathlib import Path

from fusedet.common.atomic import write_bytes
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.annotation import annotated_image
from fusedet.deploy.camera.sinks.base import Sink
from fusedet.deploy.detector.opencv import cv2

#: Formats that every build of OpenCV writes; others become JPEG.
_WRITABLE = frozenset({".bmp", ".jpeg", ".jpg", ".png"})


class AnnotatedImages(Sink):
    """Each image with its detections drawn in, under its own name in ``folder``.

    Folders inside the source are kept, and so is the suffix: images of one stem do not overwrite each other. A format
    that OpenCV may not write gets ``.jpg`` behind its name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[Path] = set()

    def write(self, result: Result) -> None:
        """Draws and writes one image."""
        path = self._folder / result.frame.name
        if path.suffix.lower() not in _WRITABLE:
            path = path.with_name(path.name + ".jpg")
        while path in self._taken:  # the source holds a.tif as well as a.tif.jpg
            path = path.with_name("_" + path.name)
        self._taken.add(path)
        _, data = cv2.imencode(path.suffix, annotated_image(result))
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not cv2.imwrite, which cannot write every name on every system. Images can be made again: no sync for each.
        write_bytes(path, data.tobytes(), sync=False)
