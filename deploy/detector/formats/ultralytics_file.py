"""A detector in one of the layouts that Ultralytics exports to ONNX: yolov8, yolo11, yolo26 and what people trained
from them; also what ``fusedet export --layout ultralytics`` writes.

The metadata name the classes. One input ``[1, 3, H, W]``: the image in proportion and centred in padding, RGB
in 0..1. One output: ``[1, N, 6]`` of a network without suppression, xyxy, score and class, or
``[1, 4 + classes, points]``: centre and size, then a score for each class, of which every one counts. Boxes are in
pixels of the input.

Nothing here imports Ultralytics, whose licence, AGPL-3.0, asks for more than ours: a file is all that is needed. What a
network under that licence finds is the user's to judge.
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.common.plain_json import short
from fusedet.deploy.detector.contract import MOST_SIDE
from fusedet.deploy.detector.formats.base import (
    Candidates,
    ModelFormat,
    fixed_sides,
    foreign_contract,
    inputs_of,
    outputs_of,
    strongest,
)
from fusedet.deploy.detector.runtimes.protocol import Session

#: IoU above which Ultralytics drops the worse of two boxes, unless it is told otherwise.
_NMS_IOU = 0.7
#: Columns of a row of the network without suppression, and rows before the scores of one that needs it.
_DETECTION, _BOX = 6, 4
#: Longer metadata is no list of class names: 100,000 of them fit.
_MOST_CHARACTERS = 4_000_000
#: What is worth telling of the metadata.
_FACTS = ("description", "author", "date", "version", "license", "docs")


class UltralyticsFile(ModelFormat):
    """See the head of this file."""

    title = "Ultralytics"
    marks = "metadata task and names, images [1, 3, H, W] -> [1, 4 + classes, points] or [1, N, 6]"
    takes = "float32_nchw_rgb"

    def __init__(self, session: Session, source: str) -> None:
        super().__init__(session, source)
        self._source = source
        metadata = session.get_modelmeta().custom_metadata_map
        if metadata.get("task", "detect") != "detect":
            raise InputError(
                f"{source}: an Ultralytics file of task {metadata['task']!r:.60}, but fusedet reads those of 'detect'"
            )
        names = _class_names(metadata, source)
        self._is_final = self._check_output(session, len(names))
        size = _input_size(session, metadata, source)
        facts = {key: metadata[key] for key in _FACTS if metadata.get(key)}
        self.contract = foreign_contract(names, size, None if self._is_final else _NMS_IOU, **facts)

    @staticmethod
    def recognises(session: Session) -> bool:
        """By the metadata."""
        metadata = session.get_modelmeta().custom_metadata_map
        return metadata.get("author") == "Ultralytics" or {"task", "names"} <= metadata.keys()

    def read(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Each detection; or the best pairs of a point's box and a class."""
        (rows,) = outputs
        return self._final(rows) if self._is_final else _raw(rows)

    def _final(self, rows: NDArray[np.float32]) -> Candidates:
        """``[N, 6]``."""
        scores, numbers = rows[:, 4], rows[:, 5]
        unknown = (scores > 0) & ~((numbers >= 0) & (numbers < len(self.contract.names)))
        if unknown.any():
            raise InputError(
                f"{self._source}: gives class {numbers[unknown][0]:g}, but its metadata name "
                f"{len(self.contract.names)} classes"
            )
        class_ids = np.where(scores > 0, numbers, 0).astype(np.int64)
        return Candidates(rows[:, :4], scores, class_ids)

    def _check_output(self, session: Session, classes: int) -> bool:
        """Whether the output is a list of detections; else it is all that the network says of each point."""
        outputs = outputs_of(session)
        shape = next(iter(outputs.values()))
        if len(outputs) == 1 and len(shape) == 3:
            if shape[2] == _DETECTION:
                return True
            if shape[1] == _BOX + classes:
                return False
        raise InputError(
            f"{self._source}: an Ultralytics file of {classes} classes must give one output, "
            f"[1, {_BOX + classes}, points] or [1, N, {_DETECTION}], but the graph gives {outputs}"
        )


def _raw(rows: NDArray[np.float32]) -> Candidates:
    """``[4 + classes, points]``."""
    # The best pairs of point and class are among the points whose best class is best: few scores need to be sorted.
    rows = rows[:, strongest(rows[_BOX:].max(0))]
    scores = rows[_BOX:].ravel()  # [classes * points]
    best = strongest(scores)
    class_ids, points = np.divmod(best, rows.shape[1])
    centres, halves = rows[:2].T[points], rows[2:4].T[points] / 2
    boxes = np.concatenate([centres - halves, centres + halves], axis=1)
    return Candidates(boxes, scores[best], class_ids.astype(np.int64))


def _class_names(metadata: Mapping[str, str], source: str) -> tuple[str, ...]:
    """Ultralytics writes ``{0: 'cat', 1: 'dog'}``, as Python would print it."""
    names = _literal(metadata, "names", source)
    if isinstance(names, list | tuple):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise InputError(
            f"{source}: metadata names must be a dict such as {{0: 'cat', 1: 'dog'}}, but got {short(names)}"
        )
    texts = [names.get(i) for i in range(len(names))]
    if not all(isinstance(text, str | int) for text in texts):
        raise InputError(
            f"{source}: metadata names must give texts to the numbers 0 to {len(names) - 1}, but got {short(names)}"
        )
    return tuple(map(str, texts))


def _input_size(session: Session, metadata: Mapping[str, str], source: str) -> tuple[int, int]:
    """``(height, width)`` of the graph; where it leaves them open, those that the metadata name."""
    inputs = inputs_of(session)
    shape = next(iter(inputs.values()))
    batch_fits = len(shape) == 4 and (shape[0] == 1 or not isinstance(shape[0], int))
    if len(inputs) != 1 or session.get_inputs()[0].type != "tensor(float)" or not batch_fits or shape[1] != 3:
        types = [tensor.type for tensor in session.get_inputs()]
        raise InputError(
            f"{source}: an Ultralytics file must take one float32 input [1 or any, 3, H, W], but the graph takes "
            f"{inputs} of {', '.join(types)}"
        )
    fixed = fixed_sides(shape)
    if fixed is not None:
        return fixed
    size = _literal(metadata, "imgsz", source)
    sides = [size, size] if isinstance(size, int) else size
    fits = isinstance(sides, list | tuple) and len(sides) == 2
    if not fits or not all(isinstance(side, int) and 0 < side <= MOST_SIDE for side in sides):
        raise InputError(f"{source}: metadata imgsz must be [height, width] in pixels, but got {short(size)}")
    return sides[0], sides[1]


def _literal(metadata: Mapping[str, str], key: str, source: str) -> Any:
    """The value of a metadata key that is written as a Python literal; nothing in it is run."""
    text = metadata.get(key)
    if text is None:
        raise InputError(f"{source}: an Ultralytics file must have {key} in its metadata, which has {sorted(metadata)}")
    if len(text) > _MOST_CHARACTERS:
        raise InputError(f"{source}: metadata {key} must not be longer than {_MOST_CHARACTERS} characters")
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise InputError(f"{source}: metadata {key} must be a Python literal, but got {short(text)}") from error
