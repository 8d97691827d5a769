"""Files of ``fusedet export``, whose metadata hold their :mod:`contract <fusedet.deploy.detector.contract>`.

Those of ``--raw`` give the scores and boxes of every cell at each stride, for chips with tools of their own:
``fusedet.export.graph.raw_layout`` says what their outputs mean.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.detector.contract import OUTPUT_NAMES, Contract
from fusedet.deploy.detector.formats.base import Candidates, ModelFormat, outputs_of, strongest
from fusedet.deploy.detector.runtimes.protocol import Session
from fusedet.deploy.detector.session import read_contract, read_input_contract


class FusedetFile(ModelFormat):
    """A file whose graph gives boxes, scores and class ids."""

    title = "fusedet"
    marks = "metadata fusedet.format_version"

    def __init__(self, session: Session, source: str) -> None:
        super().__init__(session, source)
        self.contract = read_contract(session, source)
        self.takes = self.contract.input_format
        self.output_names = OUTPUT_NAMES

    @staticmethod
    def recognises(session: Session) -> bool:
        """By the metadata."""
        return Contract.stands_in(session.get_modelmeta().custom_metadata_map)

    def read(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """They are what is wanted already."""
        return Candidates(*map(np.asarray, outputs))


def raw_names(strides: Sequence[int]) -> tuple[str, ...]:
    """Names of the outputs in their order."""
    return tuple(f"{what}_{stride}" for stride in strides for what in ("scores", "boxes"))


class RawFile(ModelFormat):
    """A file of ``fusedet export --raw``."""

    title = "fusedet, raw"
    marks = "metadata fusedet.format_version, outputs scores_S and boxes_S"

    def __init__(self, session: Session, source: str) -> None:
        super().__init__(session, source)
        self.contract = read_input_contract(session, source)
        self.takes = self.contract.input_format
        self.output_names = raw_names(self.contract.strides)
        height, width = self.contract.input_size
        expected = {}
        for stride in self.contract.strides:
            cells = [height // stride, width // stride]
            expected[f"scores_{stride}"] = [len(self.contract.names), *cells]
            expected[f"boxes_{stride}"] = [4, *cells]
        found = {name: list(shape[1:]) for name, shape in outputs_of(session).items()}
        if found != expected:
            raise InputError(f"{source}: expected the outputs {expected} after the batch, but the graph gives {found}")

    @staticmethod
    def recognises(session: Session) -> bool:
        """By the metadata, and by what the outputs are called."""
        is_raw = any(name.startswith("scores_") for name in outputs_of(session))
        return is_raw and FusedetFile.recognises(session)

    def read(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """The best pairs of a cell's box and a class."""
        scores, boxes = [], []
        for stride, level, sides in zip(self.contract.strides, outputs[::2], outputs[1::2], strict=True):
            y, x = np.mgrid[: level.shape[1], : level.shape[2]] + 0.5
            left, top, right, bottom = sides
            boxes.append(np.stack((x - left, y - top, x + right, y + bottom), -1).reshape(-1, 4) * stride)
            scores.append(level.reshape(len(level), -1))
        every_box, every_score = np.concatenate(boxes), np.concatenate(scores, 1)  # [A, 4], [classes, A]
        best = strongest(every_score.ravel())
        class_ids, points = np.divmod(best, every_score.shape[1])
        return Candidates(every_box[points].astype(np.float32), every_score.ravel()[best], class_ids.astype(np.int64))
