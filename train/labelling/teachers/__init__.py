"""Detectors of other projects as teachers: they label pictures that ours learns from, or guide its training.

:mod:`fusedet.deploy.detector.formats` reads their files; ``Detector`` runs them as it runs ours.
"""

from pathlib import Path

import onnxruntime as ort

from fusedet.deploy.detector.detector import Detector
from fusedet.deploy.detector.formats import PicoDet as PicoDetFormat
from fusedet.train.labelling.teachers.picodet import DenseMap, PicoDet

__all__ = ["DenseMap", "PicoDet", "open_foreign"]


def open_foreign(session: ort.InferenceSession, path: Path, *, score_threshold: float, max_detections: int) -> Detector:
    """The detector in an opened file; one of PicoDet can guide a training.

    Args:
        session: of :func:`fusedet.deploy.detector.session.open_session`.
        path: of the file, for the error message.
        score_threshold: lowest score that counts.
        max_detections: at most so many for each picture, the best.

    Raises:
        InputError: the file is of no known format.
    """
    kind = PicoDet if PicoDetFormat.recognises(session) else Detector
    return kind(path, score_threshold=score_threshold, max_detections=max_detections, one_label=False, session=session)
