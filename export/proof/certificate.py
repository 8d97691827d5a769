"""The certificate: what was measured of an exported file, what was asked of it, and whether it holds.

It is written beside the file, as JSON for programs and as a page for people (:mod:`fusedet.export.proof.page`). An
export whose certificate does not hold leaves no model behind, only what was measured, which says why.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.detector.detections import Detections

FORMAT_VERSION = 2


@dataclass(frozen=True)
class Limits:
    """What is asked of an exported file.

    Attributes:
        matched_share: least part of the detections that must have their counterpart, 0..1.
        threshold: of detections with this score or more, 0..1.
        iou: least IoU of a detection and its counterpart.
        score_difference: largest difference of their scores.
        ap_tolerance: largest difference of AP50-95 between network, plain and fused file.
        score_threshold_difference: largest difference of a file's recommended score threshold from training's.
        f1_difference: where they are further apart, most of F1 that the file loses at training's.
        duplicate_difference: largest difference of the share of duplicate detections from training's, 0..1.
        few_boxes: so many boxes or fewer are no difference in F1 or duplicates, however small the data set is.
        unfused: most activations outside convolutions, as ONNX Runtime runs the fused file here.
        reorders: most layout reorders, likewise; x86 only, elsewhere there are none.
    """

    matched_share: float = 1.0
    threshold: float = 0.1
    iou: float = 0.99
    score_difference: float = 0.001
    ap_tolerance: float = 0.001
    score_threshold_difference: float = 0.05
    f1_difference: float = 0.005
    duplicate_difference: float = 0.005
    few_boxes: int = 2
    unfused: int = 0
    reorders: int = 16

    def changed(self, settings: Mapping[str, str]) -> "Limits":
        """With other values, given as text; InputError for what is no limit, or no number of 0 or more."""
        known = {field.name: field.type for field in fields(self)}
        values = asdict(self)
        for name, text in settings.items():
            if name not in known:
                raise InputError(f"--limit {name}: no such limit; there are {', '.join(known)}")
            try:
                values[name] = type(values[name])(text)
            except ValueError:
                kind = "a whole number" if isinstance(values[name], int) else "a number"
                raise InputError(f"--limit {name}: expected {kind}, but got {text!r}") from None
            if not (math.isfinite(values[name]) and values[name] >= 0):
                raise InputError(f"--limit {name}: expected a number of 0 or more, but got {text!r}")
        return Limits(**values)


@dataclass(frozen=True)
class Check:
    """One thing that was asked, for example ``at least 1.0``, and what was found."""

    what: str
    wanted: str
    found: str
    passed: bool


@dataclass(frozen=True)
class Certificate:
    """Everything that was measured; ``facts`` are as JSON has them.

    ``worst`` is the image on which the runs differ most, for the page.
    """

    checks: tuple[Check, ...]
    facts: dict[str, Any]
    worst: "Worst | None" = None

    @property
    def passed(self) -> bool:
        """Whether all that was asked holds."""
        return all(check.passed for check in self.checks)

    def to_json(self) -> str:
        """The machine-readable form."""
        values = {"format_version": FORMAT_VERSION, "passed": self.passed, "checks": [asdict(c) for c in self.checks]}
        return json.dumps({**values, **self.facts}, indent=1, ensure_ascii=False) + "\n"

    def broken(self) -> str:
        """What does not hold, in words; nothing where all does."""
        faults = (f"{check.what}: {check.found}, wanted {check.wanted}" for check in self.checks if not check.passed)
        return "; ".join(faults)


@dataclass(frozen=True)
class Worst:
    """The image, uint8 ``[H, W, 3]``, with the most, or largest, differences between two runs, and what each found."""

    name: str
    image: NDArray[np.uint8]
    between: tuple[str, str]
    first: Detections
    second: Detections
