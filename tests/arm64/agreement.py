"""Whether two machines find the same, by the rules that decide whether an exported file is kept."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detector.contract import Contract
from fusedet.export.proof.verify import Agreement, Outputs, Tolerance, compare

__all__ = ["TOLERANCE", "Seen", "agree", "read_seen"]

#: From score 0.1 on every detection has its counterpart: the same class, a score within 0.001, an IoU of 0.99.
TOLERANCE = Tolerance(threshold=0.1, adaptive=False, score=0.0, rounding=1e-3, iou=0.99, side=0.0, tie=-math.inf)


@dataclass(frozen=True)
class Seen:
    """What one machine made of a picture.

    Attributes:
        outputs: what it found, in pixels of the picture.
        decoded: checksum of the picture's pixels.
        fed: checksum of the network's input.
    """

    outputs: Outputs
    decoded: str
    fed: str


def read_seen(path: Path) -> dict[str, Seen]:
    """By picture, what ``guest/see.py`` wrote."""
    with np.load(path) as arrays:
        names = sorted({key.rpartition("/")[0] for key in arrays})
        return {name: _read(name, arrays) for name in names}


def _read(name: str, arrays: Mapping[str, NDArray]) -> Seen:
    boxes, scores, class_ids = (arrays[f"{name}/{part}"] for part in ("boxes", "scores", "class_ids"))
    return Seen(Outputs(boxes, scores, class_ids), *map(str, arrays[f"{name}/sums"]))


def agree(x86: Mapping[str, Seen], arm: Mapping[str, Seen], contract: Contract) -> Agreement:
    """Pairs all detections of two machines on the same pictures; those without counterpart are in ``missing``."""
    first, second = ({name: seen.outputs for name, seen in machine.items()} for machine in (x86, arm))
    return compare(("x86-64", "ARM64"), first, second, contract, TOLERANCE, strict=False)
