"""What the formats of exported files have in common: an image goes in as each of them wants it, boxes come out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fusedet.common.errors import InputError
from fusedet.common.text import in_one_line
from fusedet.deploy.detector.contract import MOST_SIDE, Contract
from fusedet.deploy.detector.decoding import Place
from fusedet.deploy.detector.letterbox import check_image, letterbox, to_blob
from fusedet.deploy.detector.opencv import cv2
from fusedet.deploy.detector.runtimes.protocol import Session

#: Candidates that go into non-maximum suppression at most, the best.
MOST_CANDIDATES = 1000


class Candidates(NamedTuple):
    """What a network says of one image, before thresholds and suppression."""

    boxes_xyxy: NDArray[np.float32]  # float32 ``[N, 4]`` in pixels of the network's input
    scores: NDArray[np.float32]  # float32 ``[N]`` in 0..1
    class_ids: NDArray[np.int64]  # int64 ``[N]``


@dataclass(frozen=True)
class Stretch:
    """Where an image of ``width`` x ``height`` pixels lies that fills the network's input, whatever its proportions.

    ``input_size`` is ``(height, width)``.
    """

    input_size: tuple[int, int]
    width: int
    height: int

    def to_image(self, boxes_xyxy: ArrayLike) -> NDArray[np.float32]:
        """Boxes ``[N, 4]`` from input pixels to image pixels, clipped to the image."""
        sides = np.array([self.width, self.height] * 2, np.float64)
        zoom = sides / [*self.input_size[::-1], *self.input_size[::-1]]
        boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4) * zoom
        return boxes.clip(0, sides).astype(np.float32)


class ModelFormat(ABC):
    """How to feed the network of one kind of file, and what its outputs mean.

    A subclass knows one format. What is the same for all of them, thresholds, suppression and the way back to the
    image, is :func:`fusedet.deploy.detector.decoding.decode_outputs`.

    Raises:
        InputError: the file is of this format, but cannot be used.
    """

    title: str  # what people call the format
    marks: str  # by what a file of it is recognised, for people
    takes: str  # what the network wants to see, for people
    contract: Contract  # names, input size, and whether suppression is due
    output_names: tuple[str, ...]  # the outputs that :meth:`read` wants, in this order

    def __init__(self, session: Session, source: str) -> None:
        self._input = session.get_inputs()[0].name
        self.output_names = tuple(outputs_of(session))

    def __str__(self) -> str:
        return self.title

    @staticmethod
    @abstractmethod
    def recognises(session: Session) -> bool:
        """Whether inputs, outputs or metadata are those of the format."""

    @abstractmethod
    def read(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """What the outputs for one image say, given without their batch axis.

        Raises:
            InputError: they are not what the file says of itself.
        """

    def prepare(self, image_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Place]:
        """An image, uint8 ``[h, w, 3]``, at the size of the input, uint8 ``[H, W, 3]``, and where it lies there.

        Raises:
            InputError: the image is something else.
        """
        return letterbox(image_bgr, self.contract.input_size, self.contract.pad_value)

    def feed(self, canvases: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
        """The network's inputs for images of :meth:`prepare`."""
        return {self._input: to_blob(canvases, self.contract.input_format)}

    def look_at_nothing(self, session: Session, source: str) -> list[NDArray[Any]]:
        """The outputs for an empty image, without their batch axis, where shapes alone do not tell what they mean.

        Raises:
            InputError: the graph cannot be run.
        """
        empty = np.full((*self.contract.input_size, 3), self.contract.pad_value, np.uint8)
        try:
            return [output[0] for output in session.run(self.output_names, self.feed([empty]))]
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise InputError(f"{source}: ONNX Runtime cannot run this network: {in_one_line(error):.300}") from error


class PlanesFormat(ModelFormat):
    """A format of another project, whose network takes float32 planes of an image of one fixed size."""

    rgb = False  # the planes come in this order; else BGR
    mean: tuple[float, ...] = (0, 0, 0)  # is taken off the pixels of each plane
    std: tuple[float, ...] = (1, 1, 1)  # is what they are divided by then
    #: OpenCV's, with which the image is stretched to the input; None: it keeps its proportions
    interpolation: int | None = None

    def prepare(self, image_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Place]:
        """See :class:`ModelFormat`."""
        if self.interpolation is None:
            return super().prepare(image_bgr)
        check_image(image_bgr)
        height, width = image_bgr.shape[:2]
        size = self.contract.input_size
        resized = cv2.resize(image_bgr, size[::-1], interpolation=self.interpolation)
        return np.asarray(resized, np.uint8), Stretch(size, width, height)

    def feed(self, canvases: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
        """See :class:`ModelFormat`."""
        batch = np.stack(canvases)[..., ::-1] if self.rgb else np.stack(canvases)
        normal = (batch.astype(np.float32) - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return {self._input: np.ascontiguousarray(normal.transpose(0, 3, 1, 2))}  # [B, H, W, 3] -> [B, 3, H, W]


def foreign_contract(
    names: tuple[str, ...], size_hw: tuple[int, int], nms_iou: float | None = None, **extra: str
) -> Contract:
    """What a file of another project would say of itself, had it a contract.

    Without ``nms_iou`` no suppression is due; ``extra`` are facts for people.
    """
    contract = Contract(names, size_hw, "float32_nchw_rgb", activation="unknown", negative_slope=0.0, extra=extra)
    return contract if nms_iou is None else replace(contract, nms=True, nms_iou=nms_iou)


def fixed_sides(shape: Sequence[Any]) -> tuple[int, int] | None:
    """Height and width of an input ``[batch, 3, height, width]``; None where it is none or leaves them open."""
    if len(shape) != 4 or shape[1] != 3 or (isinstance(shape[0], int) and shape[0] < 1):
        return None
    height, width = shape[2:]
    fits = all(isinstance(side, int) and 1 <= side <= MOST_SIDE for side in (height, width))
    return (height, width) if fits else None


def only_input_sides(session: Session) -> tuple[int, int] | None:
    """:func:`fixed_sides` of the graph's only input; None where it has more than one."""
    inputs = session.get_inputs()
    return fixed_sides(inputs[0].shape) if len(inputs) == 1 else None


def inputs_of(session: Session) -> dict[str, list[Any]]:
    """Name -> shape of the graph's inputs; a side that is not fixed is text or None."""
    return {tensor.name: list(tensor.shape) for tensor in session.get_inputs()}


def outputs_of(session: Session) -> dict[str, list[Any]]:
    """Name -> shape of the graph's outputs, in their order."""
    return {tensor.name: list(tensor.shape) for tensor in session.get_outputs()}


def best_class(scores: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Highest score and its class of each row of ``[N, classes]``: ``[N]`` and ``[N]``."""
    class_ids = scores.argmax(1)
    return scores[np.arange(len(scores)), class_ids], class_ids.astype(np.int64)


def strongest(scores: NDArray[np.float32], count: int = MOST_CANDIDATES) -> NDArray[np.intp]:
    """Positions of the ``count`` highest of ``[N]``, in no order; all where there are no more."""
    return np.argpartition(scores, -count)[-count:] if len(scores) > count else np.arange(len(scores))
