"""Checks that the files show at their recommended score thresholds what training's network shows at its own."""

from collections.abc import Mapping
from typing import Any

from fusedet.export.proof.certificate import Check, Limits

#: Files that must show the same as training; of others fewer duplicates are no fault.
_SAME = ("plain", "fused")


def threshold_of(figures: Mapping[str, Any]) -> float | None:
    """The recommended score threshold, in 0..1; None where the figures do not tell it."""
    point = figures.get("operating_point")
    return None if point is None else float(point["threshold"])


def operating_point_checks(accuracy: Mapping[str, Mapping[str, Any]], limits: Limits) -> list[Check]:
    """Score thresholds and duplicates of each file against those of ``training``.

    ``accuracy`` are figures by file, see :class:`fusedet.export.proof.certify.Evaluator`; what does not tell its
    operating point is not checked.
    """
    told = {name: figures for name, figures in accuracy.items() if "operating_point" in figures}
    if "training" not in told:
        return []
    training = told.pop("training")["operating_point"]
    thresholds = [_threshold_check(name, training, figures, limits) for name, figures in told.items()]
    duplicates = [
        _duplicate_check(name, training, figures["operating_point"], limits) for name, figures in told.items()
    ]
    return thresholds + duplicates


def _threshold_check(name: str, training: Mapping[str, Any], figures: Mapping[str, Any], limits: Limits) -> Check:
    """The best F1 may be flat over the score: a threshold further off is as good if training's serves the file too."""
    own = figures["operating_point"]
    found = f"{training['threshold']:.3f} and {own['threshold']:.3f}"
    apart = round(abs(training["threshold"] - own["threshold"]), 6)
    passed = apart <= limits.score_threshold_difference
    there = figures.get("at_training_threshold")
    if not passed and there is not None:
        few = 2 * limits.few_boxes / max(own["shown"] + own["objects"], 1)  # F1 is 2 found / (shown + objects)
        passed = round(_f1(own) - _f1(there) - max(limits.f1_difference, few), 6) <= 0
        found += f", F1 {_f1(there):.3f} and {_f1(own):.3f}"
    return Check(
        f"score thresholds of training and {name}",
        f"at most {limits.score_threshold_difference:g} apart, or F1 as high at training's",
        found,
        passed,
    )


def _duplicate_check(name: str, training: Mapping[str, Any], own: Mapping[str, Any], limits: Limits) -> Check:
    boxes = own["duplicates"] - training["duplicates"]
    more = round(_duplicates(own) - _duplicates(training), 6)
    if name in _SAME:
        boxes, more = abs(boxes), abs(more)
    return Check(
        f"duplicates of training and {name}",
        f"at most {100 * limits.duplicate_difference:g} percentage points or {limits.few_boxes} boxes "
        + ("apart" if name in _SAME else f"more of {name}"),
        f"{100 * _duplicates(training):.2f} % and {100 * _duplicates(own):.2f} %",
        boxes <= limits.few_boxes or more <= limits.duplicate_difference,
    )


def _f1(point: Mapping[str, Any]) -> float:
    return float(point["f1"] or 0)


def _duplicates(point: Mapping[str, Any]) -> float:
    """Share of duplicates; where nothing is shown there is none."""
    return float(point["duplicate_share"] or 0)
