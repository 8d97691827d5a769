"""A detector that Ultralytics exported to ONNX: yolov8, yolo11, yolo26 and what people trained from them.

The file's metadata names the classes. One input: the picture in proportion and centred between grey bars, RGB in 0..1.
One output: ``[1, detections, 6]`` of a network without suppression, xyxy, score and class, or
``[1, 4 + classes, points]``: centre and size, then a score for each class. Boxes are in pixels of the input.

Nothing here imports Ultralytics, whose licence, AGPL-3.0, asks for more than ours: a file is all that is needed. What a
network under that licence labels is the user's to judge.
"""

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fusedet.deploy.preprocess import Letterbox, letterbox, to_blob
from fusedet.train.teachers.foreign import Candidates, ForeignDetector, best_class, inputs_of, outputs_of

__all__ = ["UltralyticsFile"]

_GREY = 114
#: Columns of a row of the network without suppression.
_DETECTION = 6


class UltralyticsFile(ForeignDetector):
    """See the head of this file."""

    format = "an Ultralytics export"

    def __init__(self, session: ort.InferenceSession, score_threshold: float, max_detections: int) -> None:
        super().__init__(session, score_threshold, max_detections)
        names = ast.literal_eval(session.get_modelmeta().custom_metadata_map["names"])  # {0: 'cat', 1: 'dog'}
        self.names = tuple(str(names[i]) for i in sorted(names))
        ((_, shape),) = outputs_of(session).items()
        self._is_final = shape[-1] == _DETECTION
        self.nms_iou = None if self._is_final else 0.7

    @staticmethod
    def recognises(session: ort.InferenceSession) -> bool:
        """By the metadata, and a fixed input size."""
        metadata = session.get_modelmeta().custom_metadata_map
        if metadata.get("author") != "Ultralytics" or metadata.get("task") != "detect" or "names" not in metadata:
            return False
        inputs = list(inputs_of(session).values())
        return len(inputs) == len(outputs_of(session)) == 1 and all(isinstance(side, int) for side in inputs[0][1:])

    def feed(self, image_bgr: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """The letterboxed picture."""
        name, size = self._input()
        canvas, _ = letterbox(image_bgr, size, _GREY)
        return {name: to_blob([canvas], "float32_nchw_rgb")}

    def read(self, outputs: Sequence[NDArray[Any]], size_hw: tuple[int, int]) -> Candidates:
        """Each detection, or each point's box and its best class."""
        rows = outputs[0][0]
        if self._is_final:
            boxes, scores, class_ids = rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64)
        else:
            centres, halves = rows[:2].T, rows[2:4].T / 2
            boxes = np.concatenate([centres - halves, centres + halves], 1)
            scores, class_ids = best_class(rows[4:].T)
        return Candidates(self._in_picture(boxes, size_hw), scores, class_ids)

    def _in_picture(self, boxes: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
        """The letterbox's way back, but not clipped to the picture: suppression comes first."""
        _, (height, width) = self._input()
        zoom = min(height / size_hw[0], width / size_hw[1])
        rows, columns = Letterbox(zoom, 0, 0, size_hw[1], size_hw[0]).resized
        corner = np.array([(width - columns) // 2, (height - rows) // 2])
        return np.asarray((boxes - np.tile(corner, 2)) / zoom, np.float32)

    def _input(self) -> tuple[str, tuple[int, int]]:
        ((name, shape),) = inputs_of(self._session).items()
        return name, (shape[2], shape[3])
