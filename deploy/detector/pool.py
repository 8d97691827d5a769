"""Several detectors of one file, an image each at a time: the most images a second.

Two threads that share one image wait for each other after each layer; two threads with an image each do not. A single
image takes longer so, which is why a live camera has one :class:`~fusedet.deploy.detector.detector.Detector` with all
threads.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.arguments import check_whole
from fusedet.common.machine import physical_cores
from fusedet.common.parallel import map_ahead
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.detector import Detector, Timings


class DetectorPool:
    """Detects in as many images at once as the machine has cores.

        pool = DetectorPool("model.onnx")
        for detections in pool.map(images):
            ...

    Several threads may call one pool at once. Its ``detectors`` are of one file, ``path``, with the same settings.
    """

    def __init__(self, path: str | Path, size: int | None = None, threads: int | None = 1, **settings: Any) -> None:
        """Opens ``path`` for each core.

        Args:
            path: see :class:`~fusedet.deploy.detector.detector.Detector`.
            size: detectors; left out, the physical cores.
            threads: of each; None: as many as a detector takes by itself.
            settings: further arguments of the detectors.

        Raises:
            InputError: the file or a setting cannot be used.
        """
        if size is not None:
            check_whole("size", size)
        self.path = path
        self.detectors = tuple(Detector(path, threads=threads, **settings) for _ in range(size or physical_cores()))
        self._idle: SimpleQueue[Detector] = SimpleQueue()
        for detector in self.detectors:
            self._idle.put(detector)

    def __len__(self) -> int:
        return len(self.detectors)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names; a class id is an index into them."""
        return self.detectors[0].names

    def detect(self, image_bgr: NDArray[np.uint8]) -> tuple[Detections, Timings]:
        """Detections in one image, and where the time went; waits until a detector is free.

        Args:
            image_bgr: uint8 ``[H, W, 3]`` of any size.

        Raises:
            InputError: the image is something else.
        """
        detector = self._idle.get()
        try:
            return detector(image_bgr), detector.timings
        finally:
            self._idle.put(detector)

    def map(self, images_bgr: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        """Detections in each image, in order. Images are taken a few ahead, by the threads that detect.

        Raises:
            InputError: an image is not uint8 ``[H, W, 3]``.
        """
        return map_ahead(lambda image: self.detect(image)[0], images_bgr, len(self))

    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections in each of several images; see :meth:`map`."""
        return list(self.map(images_bgr))
