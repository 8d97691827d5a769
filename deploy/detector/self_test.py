"""An image inside the exported file, and what was found in it when the file was made.

A file that works on the workstation can still give other boxes on the board: another processor, another version of ONNX
Runtime or OpenCV, a copy that broke. To find the image's boxes again takes a board some milliseconds, and proves the
whole way from the image to the boxes.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.common.plain_json import parse_json
from fusedet.deploy.detector.compare import pair_detections
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.detector import Detector
from fusedet.deploy.detector.formats import find_format
from fusedet.deploy.detector.opencv import cv2
from fusedet.deploy.detector.runtimes.protocol import Session
from fusedet.deploy.detector.session import open_session

__all__ = ["SELF_TEST_KEY", "SelfTest", "SelfTestResult", "open_tested", "read_self_test", "run_self_test"]

SELF_TEST_KEY = "fusedet.self_test"

#: What processors and versions may differ by. A fault, such as a wrong colour order, moves scores by far more.
_LEAST_IOU = 0.95
_MOST_SCORE = 0.02


@dataclass(frozen=True)
class SelfTest:
    """An image and its boxes.

    Attributes:
        image: uint8 ``[H, W, 3]`` in BGR.
        expected: all that the file found in it with at least the score ``threshold``, duplicate detections included:
            the test is of the file, and of two boxes that overlap by just so much, rounding may drop one.
        threshold: in 0..1.
    """

    image: NDArray[np.uint8]
    expected: Detections
    threshold: float

    def to_metadata(self) -> dict[str, str]:
        """For the ``metadata_props`` of an ONNX file: the image as PNG, which every decoder reads alike."""
        encoded, data = cv2.imencode(".png", self.image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        assert encoded
        expected = self.expected
        boxes = [
            [*(round(float(side), 3) for side in box), round(float(score), 5), int(class_id)]
            for box, score, class_id in zip(expected.boxes_xyxy, expected.scores, expected.class_ids, strict=True)
        ]
        image = base64.b64encode(data.tobytes()).decode("ascii")
        return {SELF_TEST_KEY: json.dumps({"threshold": self.threshold, "boxes": boxes, "image": image})}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], names: tuple[str, ...], source: str) -> "SelfTest | None":
        """Reads what :meth:`to_metadata` wrote; None where the file holds no self-test.

        Raises:
            InputError: it holds a damaged one.
        """
        if SELF_TEST_KEY not in metadata:
            return None
        try:
            values = parse_json(metadata[SELF_TEST_KEY])
            table = np.array(values["boxes"], np.float64).reshape(-1, 6)
            image = _decode(values["image"] if "image" in values else values["picture"])  # of files of version 0.1
            columns = table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64)
            return cls(image, Detections(*columns, names), float(values["threshold"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{source}: damaged self-test in its metadata: {error!s:.200}") from error


@dataclass(frozen=True)
class SelfTestResult:
    """What came of a self-test.

    Attributes:
        expected: boxes that were to be found.
        faults: what is missing, and what is there without being expected; empty when the test is passed.
        score: largest difference of scores among the boxes that were found again.
        iou: least IoU among them.
        milliseconds: of the whole call, letterbox to boxes.
    """

    expected: int
    faults: tuple[str, ...]
    score: float
    iou: float
    milliseconds: float

    @property
    def passed(self) -> bool:
        """Whether everything was found again, and nothing else."""
        return not self.faults


def read_self_test(path: str | Path, session: Session | None = None) -> SelfTest | None:
    """The self-test in an exported file; None where it holds none. ``session`` is the file, where it is open already.

    Raises:
        InputError: the file cannot be used.
    """
    session = session or open_session(path, threads=1)
    names = find_format(session, str(path)).contract.names
    return SelfTest.from_metadata(session.get_modelmeta().custom_metadata_map, names, str(path))


def run_self_test(path: str | Path, threads: int | None = None, session: Session | None = None) -> SelfTestResult:
    """Lets an exported file find the boxes of its own image.

    Args:
        path: of the file.
        threads: see :class:`fusedet.deploy.Detector`.
        session: the file, where it is open already; ``threads`` is its own then.

    Raises:
        InputError: the file cannot be used, or holds no self-test.
    """
    session = session or open_session(path, threads)
    test = read_self_test(path, session)
    if test is None:
        raise InputError(f"{path}: holds no self-test; an export with --data puts one in")
    threshold = max(0.0, test.threshold - _MOST_SCORE)
    detector = Detector(path, score_threshold=threshold, duplicate_iou=None, session=session)
    detector(test.image)  # ONNX Runtime's first run is slower
    found = detector(test.image)
    return compare_with_expected(test, found, detector.timings.total)


def open_tested(
    path: str | Path,
    *,
    threads: int | None = None,
    allow_spinning: bool = False,
    required: bool = True,
    **settings: Any,
) -> Detector:
    """A detector that has just passed its self-test: for a program that starts by itself on a board.

    Args:
        path: of the file or bundle.
        threads: see :class:`fusedet.deploy.Detector`, as for ``allow_spinning`` and the further settings.
        required: False lets a file without a self-test pass.

    Raises:
        InputError: the file cannot be used, holds no self-test, or does not find what it should.
    """
    session = open_session(path, threads, allow_spinning=allow_spinning)
    if required or read_self_test(path, session) is not None:
        result = run_self_test(path, session=session)
        if not result.passed:
            raise InputError(f"{path}: failed its self-test: {'; '.join(result.faults)}")
    return Detector(path, session=session, **settings)


def compare_with_expected(test: SelfTest, found: Detections, milliseconds: float) -> SelfTestResult:
    """Pairs what was expected with what was found, from a little below the test's threshold on: rounding hides none."""
    expected = test.expected
    pairing = pair_detections(
        expected, found, thresholds=(0.0, test.threshold + _MOST_SCORE), score=_MOST_SCORE, iou=_LEAST_IOU
    )
    missing, surplus = pairing.unmatched
    return SelfTestResult(
        expected=len(expected),
        faults=(
            *(f"did not find {_say(expected[i : i + 1])}" for i in missing),
            *(f"found {_say(found[i : i + 1])}, which is not expected" for i in surplus),
        ),
        score=max((pair.score for pair in pairing.pairs), default=0.0),
        iou=min((pair.iou for pair in pairing.pairs), default=1.0),
        milliseconds=milliseconds,
    )


def _say(one: Detections) -> str:
    return f"{one.labels[0]} with score {one.scores[0]:.2f} at {[round(float(side)) for side in one.boxes_xyxy[0]]}"


def _decode(text: str) -> NDArray[np.uint8]:
    try:
        data = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except binascii.Error as error:
        raise ValueError(f"the image is not base64: {error}") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise ValueError("the image cannot be decoded")
    return np.asarray(image, np.uint8)
