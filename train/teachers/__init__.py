"""Detectors of other projects: to grade them beside ours, and to let them label pictures that ours learns from.

Each format has a file of its own here, written from what its project publishes. A file is recognised by its inputs,
outputs and metadata, so that nobody has to say what it is.

Detectors behind these formats are :class:`fusedet.train.evaluate.Predictor`.
"""

from pathlib import Path

import onnxruntime as ort

from fusedet.configs.errors import InputError
from fusedet.train.teachers.detr import Detr
from fusedet.train.teachers.foreign import DenseMap, ForeignDetector, inputs_of, outputs_of
from fusedet.train.teachers.picodet import PicoDet
from fusedet.train.teachers.ultralytics_file import UltralyticsFile
from fusedet.train.teachers.yolox import Yolox

__all__ = ["FORMATS", "DenseMap", "ForeignDetector", "PicoDet", "open_foreign"]

#: What can be read beside our own files.
FORMATS: tuple[type[ForeignDetector], ...] = (UltralyticsFile, Detr, PicoDet, Yolox)


def open_foreign(
    session: ort.InferenceSession, path: Path, *, score_threshold: float, max_detections: int
) -> ForeignDetector:
    """The detector in a file that is not ours.

    Args:
        session: of :func:`fusedet.deploy.session.open_session`.
        path: of the file, for the error message.
        score_threshold: lowest score that counts.
        max_detections: at most so many for each picture, the best.

    Raises:
        InputError: the file is of no known format.
    """
    for kind in FORMATS:
        if kind.recognises(session):
            return kind(session, score_threshold, max_detections)
    raise InputError(
        f"{path}: not a fusedet model, nor {', '.join(kind.format for kind in FORMATS)}: "
        f"it takes {inputs_of(session)} and gives {outputs_of(session)}"
    )
