"""Whether two machines find the same, by the rules that decide whether an exported file is kept."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy import Detections
from fusedet.export.proof.verify import Agreement, Tolerance, compare

__all__ = ["TOLERANCE", "Seen", "agree", "detections", "read_seen"]

#: From score 0.1 on every detection has its counterpart: the same class, a score within 0.001, an IoU of 0.99.
TOLERANCE = Tolerance(threshold=0.1, adaptive=False, score=0.0, rounding=1e-3, iou=0.99, side=0.0, tie=-math.inf)


@dataclass(frozen=True)
class Seen:
    """What one machine made of an image.

    Attributes:
        found: what it found, in pixels of the image.
        decoded: checksum of the image's pixels.
        fed: checksum of the network's input.
    """

    found: Detections
    decoded: str
    fed: str


def read_seen(path: Path) -> dict[str, Seen]:
    """By image, what ``guest/see.py`` wrote."""
    with np.load(path) as arrays:
        names = sorted({key.rpartition("/")[0] for key in arrays})
        return {name: _read(name, arrays) for name in names}


def _read(name: str, arrays: Mapping[str, NDArray]) -> Seen:
    boxes, scores, class_ids = (arrays[f"{name}/{part}"] for part in ("boxes", "scores", "class_ids"))
    return Seen(detections(boxes, scores, class_ids), *map(str, arrays[f"{name}/sums"]))


def detections(boxes: NDArray, scores: NDArray, class_ids: NDArray) -> Detections:
    """Detections whose classes go by their numbers."""
    return Detections(boxes, scores, class_ids, tuple(map(str, range(int(class_ids.max(initial=-1)) + 1))))


def agree(x86: Mapping[str, Seen], arm: Mapping[str, Seen]) -> Agreement:
    """Pairs all detections of two machines on the same images; those without counterpart are in ``missing``."""
    first, second = ({name: seen.found for name, seen in machine.items()} for machine in (x86, arm))
    return compare(("x86-64", "ARM64"), first, second, TOLERANCE, strict=False)
