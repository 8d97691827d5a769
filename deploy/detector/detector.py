"""The detector that a program calls: an image in, detections out."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fusedet.common.arguments import DUPLICATE_IOU, check_duplicate_iou, check_fraction, check_whole
from fusedet.common.errors import InputError
from fusedet.common.plain_json import short
from fusedet.common.text import counted, in_one_line
from fusedet.configs.classes import check_class_names
from fusedet.deploy.detector.contract import Contract
from fusedet.deploy.detector.decoding import Place, decode_outputs
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.formats import find_format
from fusedet.deploy.detector.runtimes.protocol import Session
from fusedet.deploy.detector.session import open_session

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timings:
    """Where the time of one call went, in milliseconds.

    Attributes:
        pre: letterbox and conversion.
        inference: the network.
        post: thresholds, NMS or the removal of duplicate detections, and mapping boxes back.
    """

    pre: float
    inference: float
    post: float

    @property
    def total(self) -> float:
        """The whole call."""
        return self.pre + self.inference + self.post


@dataclass(frozen=True)
class PreparedImage:
    """An image as the network takes it: input name -> array, where it lies there, and the milliseconds that this
    took.
    """

    feed: dict[str, NDArray[Any]]
    place: Place
    pre: float


@dataclass(frozen=True)
class RawOutputs:
    """What the network said of one image, not yet read."""

    arrays: tuple[NDArray[Any], ...]  # of each output, without the batch
    place: Place  # where the image lay in the network's input
    pre: float  # milliseconds of letterbox and conversion
    inference: float  # milliseconds of the network


class Detector:
    """Runs an exported file on images.

        detector = Detector("model.onnx")
        detections = detector(cv2.imread("street.jpg"))

    Several threads may call one detector at once. Only ``timings`` is shared between them: it is of the call that ended
    last. Each call makes its own arrays, so results are never written over.

    Attributes:
        format: how the file is fed and read.
        timings: of the last call; zero before the first.
        score_threshold, max_detections, one_label, duplicate_iou: may be set between calls.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        score_threshold: float = 0.25,
        max_detections: int = 300,
        one_label: bool = True,
        duplicate_iou: float | None = DUPLICATE_IOU,
        classes: Iterable[str] | None = None,
        threads: int | None = None,
        allow_spinning: bool = False,
        session: Session | None = None,
    ) -> None:
        """Opens ``path``.

        Args:
            path: an ONNX file written by ``fusedet export``, or by another project that
                :mod:`fusedet.deploy.detector.formats` knows, such as Ultralytics; a bundle, a run folder with its
                export, or ``"nano"`` and the other presets that have starter weights.
            score_threshold: detections below this score are dropped, 0..1.
            max_detections: at most so many for each image, the best.
            one_label: a box that the network reports with several classes keeps the best one only.
            duplicate_iou: where the file needs no NMS, IoU above which the lower-scored of two boxes of a class is
                removed as a duplicate detection, 0..1; None keeps both. A file that needs NMS has its own IoU for that.
            classes: names of the classes that are reported; left out, all.
            threads: for the network; left out, the physical cores, at most 4.
            allow_spinning: see :func:`fusedet.deploy.detector.session.open_session`.
            session: the file, where it is open already; ``threads`` and ``allow_spinning`` are its own then.

        Raises:
            InputError: the file or a setting cannot be used.
        """
        check_fraction("score_threshold", score_threshold)
        check_whole("max_detections", max_detections)
        check_duplicate_iou(duplicate_iou)
        self._session = session or open_session(path, threads, allow_spinning=allow_spinning)
        self._source = str(path)
        self.format = find_format(self._session, self._source)
        self.score_threshold = score_threshold
        self.max_detections = max_detections
        self.one_label = one_label
        self.duplicate_iou = duplicate_iou
        self.classes = classes
        self.timings = Timings(0.0, 0.0, 0.0)
        self._told_of_nan = False
        self._one_at_a_time = self._session.get_inputs()[0].shape[0] == 1

    @property
    def contract(self) -> Contract:
        """What the file says of itself."""
        return self.format.contract

    @property
    def names(self) -> tuple[str, ...]:
        """Class names; a class id is an index into them."""
        return self.contract.names

    @property
    def input_size(self) -> tuple[int, int]:
        """``(height, width)`` of the network's input in pixels."""
        return self.contract.input_size

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes that are reported; None: all. May be set.

        Raises:
            InputError: a name that is set is none of :attr:`names`.
        """
        return self._classes

    @classes.setter
    def classes(self, classes: Iterable[str] | None) -> None:
        if classes is not None and (isinstance(classes, str) or not isinstance(classes, Iterable)):
            raise InputError(f"classes must be a list of class names, or None for all, but got {short(classes)}")
        names = None if classes is None else tuple(classes)
        check_class_names(names or (), self.names, "classes")
        self._classes = names
        self._only = None if names is None else np.array([i for i, n in enumerate(self.names) if n in names], np.int64)

    def __call__(self, image_bgr: NDArray[np.uint8]) -> Detections:
        """Detections in one image.

        Args:
            image_bgr: uint8 ``[H, W, 3]`` of any size.

        Raises:
            InputError: the image is something else.
        """
        return self.read(self.infer(self.prepare(image_bgr)))

    def prepare(self, image_bgr: NDArray[np.uint8]) -> PreparedImage:
        """The first third of a call, the letterbox; :meth:`infer` and :meth:`read` are the others.

        A program that looks at one image after the other can prepare and read on other threads while the network,
        which needs no Python, is at work.

        Args:
            image_bgr: uint8 ``[H, W, 3]`` of any size.

        Raises:
            InputError: the image is something else.
        """
        start = perf_counter()
        canvas, place = self.format.prepare(image_bgr)
        return PreparedImage(self.format.feed([canvas]), place, (perf_counter() - start) * 1e3)

    def infer(self, prepared: PreparedImage) -> RawOutputs:
        """The second third of a call, the network.

        Raises:
            InputError: the file's graph cannot be run, though it could be opened.
        """
        start = perf_counter()
        outputs = self._run(prepared.feed)
        taken = (perf_counter() - start) * 1e3
        return RawOutputs(_by_image([outputs])[0], prepared.place, prepared.pre, taken)

    def read(self, raw: RawOutputs) -> Detections:
        """The last third of a call: what :meth:`infer` gave, as detections."""
        start = perf_counter()
        found = self._decode(raw.arrays, raw.place)
        self.timings = Timings(raw.pre, raw.inference, (perf_counter() - start) * 1e3)
        return found

    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections in each of several images, which may differ in size.

        A file exported with a batch of one runs them one after the other. ``timings`` is of all of them together.

        Raises:
            InputError: an image is not uint8 ``[H, W, 3]``, or they are no sequence of images.
        """
        _check_images(images_bgr)
        if not len(images_bgr):
            return []
        start = perf_counter()
        boxed = [self.format.prepare(image) for image in images_bgr]
        canvases = [canvas for canvas, _ in boxed]
        groups = [[canvas] for canvas in canvases] if self._one_at_a_time else [canvases]
        feeds = [self.format.feed(group) for group in groups]
        ready = perf_counter()
        outputs = [self._run(feed) for feed in feeds]
        done = perf_counter()
        found = [self._decode(arrays, place) for arrays, (_, place) in zip(_by_image(outputs), boxed, strict=True)]
        end = perf_counter()
        self.timings = Timings((ready - start) * 1e3, (done - ready) * 1e3, (end - done) * 1e3)
        return found

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a Detector cannot be pickled or copied: its network lives in this process; open {self._source} with "
            "Detector(...) in each process instead"
        )

    def _run(self, feed: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """What the network gives for a feed that is as the file wants it."""
        try:
            outputs: Sequence[NDArray[Any]] = self._session.run(self.format.output_names, feed)
        except Exception as error:  # the errors of runtimes share no base class
            reason = f"its runtime cannot run this network: {in_one_line(error):.300}"
            raise InputError(f"{self._source}: {reason}") from error
        images = len(next(iter(feed.values())))
        if any(output.shape[:1] != (images,) for output in outputs):
            shapes = ", ".join(str(list(output.shape)) for output in outputs)
            raise InputError(f"{self._source}: of {counted(images, 'image')} it gives outputs of shapes {shapes:.200}")
        return outputs

    def _decode(self, arrays: tuple[NDArray[Any], ...], place: Place) -> Detections:
        boxes, scores, class_ids = self.format.read(arrays)
        if not self._told_of_nan and np.isnan(scores).any():
            self._told_of_nan = True
            _log.warning(
                "%s: the network gives NaN, which is no score: it misses objects; export it anew", self._source
            )
        try:
            return decode_outputs(
                boxes,
                scores,
                class_ids,
                place,
                self.contract,
                self.score_threshold,
                self.max_detections,
                self.one_label,
                self.duplicate_iou,
                self._only,
            )
        except ValueError as error:  # what the graph gives is not what its file says
            raise InputError(f"{self._source}: {error!s:.300}") from error


def _by_image(outputs: Sequence[Sequence[NDArray[Any]]]) -> list[tuple[NDArray[Any], ...]]:
    """Runs of ``(first [B, ...], second [B, ...], ...)`` -> one ``(first, second, ...)`` an image."""
    return [arrays for run in outputs for arrays in zip(*run, strict=True)]


def _check_images(images: Any) -> None:
    is_array = isinstance(images, np.ndarray)
    if (is_array and images.ndim != 4) or not (is_array or isinstance(images, Sequence)):
        what = f"an array {list(images.shape)}" if is_array else short(images)
        raise InputError(f"images must be a list of images, uint8 [H, W, 3] in BGR each, but got {what}")
