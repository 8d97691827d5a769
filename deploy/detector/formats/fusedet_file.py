"""A file of ``fusedet export``, whose metadata holds its :mod:`contract <fusedet.deploy.detector.contract>`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.contract import OUTPUT_NAMES, Contract
from fusedet.deploy.detector.formats.base import Candidates, ModelFormat
from fusedet.deploy.detector.runtimes.protocol import Session
from fusedet.deploy.detector.session import read_contract


class FusedetFile(ModelFormat):
    """See the head of this file."""

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
        boxes, scores, class_ids = outputs
        return Candidates(np.asarray(boxes), np.asarray(scores), np.asarray(class_ids))
