"""Measures an exported file: the same boxes as the network, AP, latency, operators, activations, checksums."""

import math
import platform
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import onnx

from fusedet.common.arguments import DUPLICATE_IOU
from fusedet.common.hashing import sha256
from fusedet.common.machine import processor_name
from fusedet.common.text import counted
from fusedet.deploy.bench.timing import time_files
from fusedet.deploy.detector.detections import Predictor
from fusedet.deploy.detector.detector import Detector
from fusedet.deploy.detector.session import default_threads
from fusedet.export.graph.ops import fused_activations, optimize
from fusedet.export.graph.quantize import Quantized
from fusedet.export.other_runtimes import OTHER_RUNTIMES
from fusedet.export.pipeline import ExportResult
from fusedet.export.proof.certificate import Certificate, Check, Limits, Worst
from fusedet.export.proof.images import Images
from fusedet.export.proof.operating_point_checks import operating_point_checks, threshold_of
from fusedet.export.proof.reference import Reference
from fusedet.export.proof.verify import Agreement, Tolerance, compare
from fusedet.model import DetectorNet

#: Runs that must be the same.
_EXACT = ("training", "plain", "fused", *(name for name, one in OTHER_RUNTIMES.items() if one.exact))
#: When a detection of another form counts as that of the fused one: near enough to be taken for it.
_NEARLY = Tolerance(adaptive=False, score=1.0, rounding=0.1, iou=0.8, side=0.0, tie=-math.inf)
#: Hundredths of AP50-95 that a form which computes in 16 bits may lose.
_SHORT_FLOAT_AP_LOSS = 0.002
#: A network whose scores are all below this has learned nothing.
_LEAST_SCORE = 0.01
#: Boxes of an image that count for AP, and the lowest score of one, as COCO's measure is commonly taken.
AP_SETTINGS: dict[str, Any] = {"score_threshold": 0.001, "max_detections": 300}


class Evaluator(Protocol):
    """Evaluates a predictor on a data set."""

    def __call__(self, predictor: Predictor, threshold: float | None = None) -> Mapping[str, Any]:
        """Returns ``ap``, and whatever else is known, in 0..1.

        An ``operating_point`` among them is what is shown at the recommended score threshold, with the keys of
        ``fusedet eval --json``; ``at_training_threshold`` is the same at ``threshold``, where that is given.
        """
        ...


def certify(
    result: ExportResult,
    net: DetectorNet,
    images: Images,
    *,
    forms: Mapping[str, Path] | None = None,
    quantized: Quantized | None = None,
    evaluate: Evaluator | None = None,
    limits: Limits | None = None,
    rounds: int = 50,
) -> Certificate:
    """Measures what :func:`fusedet.export.export_onnx` has exported of ``net``.

    Args:
        images: real ones, like those of the training.
        forms: further files of the network by name: ``half``, ``int8``, and those for other runtimes.
        quantized: how the form ``int8`` was made, where there is one.
        evaluate: works out AP and what is shown; left out, the certificate says nothing of them.
        rounds: of the latency measurement.

    Raises:
        ExportError: nothing in the images can be compared.
        InputError: a file cannot be run.
    """
    limits = _with_reached_threshold(limits or Limits(), result, net, images)
    agreements, worst = _agree(result, net, images, limits)
    forms = forms or {}
    files = {"plain": result.plain, "fused": result.fused, **forms}
    accuracy = _evaluate(result, net, evaluate) if evaluate else {}
    for name, path in forms.items():
        agreements.append(_agree_with_fused(result, name, path, images, limits, exact=name in _EXACT))
        if evaluate:
            accuracy[name] = _evaluate_one(evaluate, Detector(path, one_label=False, **AP_SETTINGS), accuracy)
    reorders = sum(count for op, count in result.optimized_ops.items() if op.startswith("nchwc.Reorder"))
    checks = (
        *(_agreement_check(agreement, limits) for agreement in agreements if agreement.between[1] in _EXACT),
        *_ap_checks(accuracy, quantized, limits),
        *operating_point_checks(accuracy, limits),
        Check(
            "activations outside convolutions",
            f"at most {limits.unfused}",
            _count(result.unfused),
            len(result.unfused) <= limits.unfused,
        ),
        Check("layout reorders", f"at most {limits.reorders}", str(reorders), reorders <= limits.reorders),
    )
    measured: dict[str, Any] = {
        "limits": asdict(limits),
        "files": {
            name: {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}
            for name, path in files.items()
        },
        "agreement": [_agreement_facts(agreement) for agreement in agreements],
        "accuracy": {name: _finite(figures) for name, figures in accuracy.items()},
        "latency_ms": _latency(files, rounds),
        **({"int8": _int8_facts(quantized)} if quantized is not None else {}),
        "made": _made(),
    }
    return Certificate(checks, {**_graph_facts(result), **measured}, worst)


def _graph_facts(result: ExportResult) -> dict[str, Any]:
    """What the exported graph is: its model, operators and activations."""
    contract = result.contract
    return {
        "model": {
            "input_size": list(contract.input_size),
            "input_format": contract.input_format,
            "nms": contract.nms,
            "classes": list(contract.names),
            **contract.extra,
        },
        "duplicate_iou": None if contract.nms else DUPLICATE_IOU,
        "operators": {
            "plain": dict(result.plain_ops.most_common()),
            "fused": dict(result.fused_ops.most_common()),
            "as ONNX Runtime runs the fused file here": dict(result.optimized_ops.most_common()),
        },
        "activations": [asdict(one) for one in fused_activations(optimize(result.fused))],
    }


def _with_reached_threshold(limits: Limits, result: ExportResult, net: DetectorNet, images: Images) -> Limits:
    """A network of a short training may give low scores only: then those from half of its best one on are compared."""
    _, network = next(_predictors(result, net, score_threshold=_LEAST_SCORE, max_detections=1))
    best = 0.0
    for image in images.values():
        best = max([best, *network.batch([image])[0].scores.tolist()])
        if best >= limits.threshold:
            return limits
    return replace(limits, threshold=round(best / 2, 4)) if best else limits


def _agree(
    result: ExportResult, net: DetectorNet, images: Images, limits: Limits
) -> tuple[list[Agreement], Worst | None]:
    """Training's own network with the plain file, and the plain with the fused one, each as a user gets them."""
    # A little lower than what counts: the counterpart of a score just above may lie just below.
    floor = max(0.0, limits.threshold - 2 * limits.score_difference)
    found = {
        file: {name: predictor.batch([image])[0] for name, image in images.items()}
        for file, predictor in _predictors(result, net, score_threshold=floor, max_detections=1000)
    }
    agreements, worst = [], None
    for between in (("training", "plain"), ("plain", "fused")):
        first, second = found[between[0]], found[between[1]]
        agreement = compare(between, first, second, _exactly(limits), strict=False)
        agreements.append(agreement)
        if worst is None or agreement.missing:
            name = agreement.worst
            worst = Worst(name, images[name], between, first[name], second[name])
        if agreement.missing:
            break  # what follows would only repeat it
    return agreements, worst


def _exactly(limits: Limits) -> Tolerance:
    """When a detection counts as the same."""
    return Tolerance(
        threshold=limits.threshold,
        adaptive=False,
        score=limits.score_difference / limits.threshold if limits.threshold else 0.0,
        rounding=limits.score_difference,
        iou=limits.iou,
        side=0.0,
        tie=-math.inf,
    )


def _predictors(result: ExportResult, net: DetectorNet, **settings: Any) -> Iterator[tuple[str, Predictor]]:
    """Training's own network, the plain file and the fused file, with the same thresholds."""
    yield "training", Reference(net, result.contract, points=_boxes_given(result.plain), **settings)
    for name, path in (("plain", result.plain), ("fused", result.fused)):
        yield name, Detector(path, one_label=False, **settings)


def _boxes_given(path: Path) -> int:
    """K: how many boxes a file gives for each image."""
    shapes = {output.name: output.type.tensor_type.shape.dim for output in onnx.load(path).graph.output}
    return int(shapes["boxes"][1].dim_value)


def _evaluate(result: ExportResult, net: DetectorNet, evaluate: Evaluator) -> dict[str, Mapping[str, Any]]:
    accuracy = dict[str, Mapping[str, Any]]()
    for name, predictor in _predictors(result, net, **AP_SETTINGS):
        accuracy[name] = _evaluate_one(evaluate, predictor, accuracy)
    return accuracy


def _evaluate_one(
    evaluate: Evaluator, predictor: Predictor, accuracy: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Figures of one predictor, also at training's score threshold, where ``accuracy`` tells that already."""
    threshold = threshold_of(accuracy.get("training", {}))
    return evaluate(predictor) if threshold is None else evaluate(predictor, threshold)


def _allowed_ap_loss(form: str, quantized: Quantized | None, limits: Limits) -> float:
    """How much of AP a form may lose that is not exactly the network any more, or runs elsewhere."""
    if form == "int8" and quantized is not None:
        return quantized.settings.ap_loss
    return _SHORT_FLOAT_AP_LOSS if form in OTHER_RUNTIMES and not OTHER_RUNTIMES[form].exact else limits.ap_tolerance


def _agree_with_fused(
    result: ExportResult, name: str, path: Path, images: Images, limits: Limits, *, exact: bool
) -> Agreement:
    """The fused file with another form of it: the same, or not equal, but how far from it."""
    settings: dict[str, Any] = {"score_threshold": limits.threshold / 2, "max_detections": 1000, "one_label": False}
    detectors = [Detector(model, **settings) for model in (result.fused, path)]
    first, second = ({name: one(image) for name, image in images.items()} for one in detectors)
    tolerance = _exactly(limits) if exact else replace(_NEARLY, threshold=limits.threshold)
    return compare(("fused", name), first, second, tolerance, strict=False)


def _agreement_check(agreement: Agreement, limits: Limits) -> Check:
    share = agreement.matched_share
    detail = f" (first: {agreement.missing[0]})" if agreement.missing else ""
    return Check(
        f"detections that {' and '.join(agreement.between)} share, from score {limits.threshold} on",
        f"at least {100 * limits.matched_share:g} %",
        f"{100 * share:.2f} %: {counted(agreement.compared, 'pair')}, {len(agreement.missing)} without counterpart"
        + detail,
        share >= limits.matched_share,
    )


def _int8_facts(quantized: Quantized) -> dict[str, Any]:
    return {
        "settings": asdict(quantized.settings),
        "quantised": len(quantized.layers),
        "in_float": list(quantized.in_float),
        "ap_before": quantized.ap_before,
        "attempts": [asdict(step) for step in quantized.steps],
        "sensitivities": [asdict(one) for one in quantized.sensitivities],
    }


def _ap_checks(
    accuracy: Mapping[str, Mapping[str, Any]], quantized: Quantized | None, limits: Limits
) -> Iterator[Check]:
    """AP of each file against that of the one it was made from: the same, or of rounded ones not much lower."""
    made_from = {"plain": "training", "fused": "plain"}
    for name in (name for name in accuracy if name != "training"):
        before = made_from.get(name, "fused")
        one, other = accuracy[before]["ap"], accuracy[name]["ap"]
        if name in _EXACT:
            wanted, passed = f"at most {limits.ap_tolerance:g} apart", abs(one - other) <= limits.ap_tolerance
        else:
            most = _allowed_ap_loss(name, quantized, limits)
            wanted, passed = f"{name} at most {most:g} lower", other >= one - most
        # NaN, of data without objects, passes neither.
        yield Check(f"AP50-95 of {before} and {name}", wanted, f"{one:.4f} and {other:.4f}", passed)


def _agreement_facts(agreement: Agreement) -> dict[str, Any]:
    return {
        "between": list(agreement.between),
        "images": agreement.images,
        "pairs": agreement.compared,
        "matched_share": agreement.matched_share,
        "least_iou": agreement.iou,
        "largest_score_difference": agreement.score,
        "largest_side_difference_px": agreement.side_px,
        "worst_image": agreement.worst,
        "missing": [str(missing) for missing in agreement.missing],
    }


def _latency(files: Mapping[str, Path], rounds: int) -> dict[str, Any]:
    times = time_files(files, rounds=rounds, threads=1)
    figures = {
        name: {"min": round(min(ms), 3), "median": round(statistics.median(ms), 3)} for name, ms in times.items()
    }
    return {"threads": 1, "rounds": rounds, **figures}


def _finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures as JSON has them: rounded, null for NaN; an operating point is a mapping of such figures."""
    return {name: _finite(value) if isinstance(value, Mapping) else _rounded(value) for name, value in figures.items()}


def _rounded(value: float | None) -> float | None:
    if value is None or isinstance(value, int):
        return value
    return None if math.isnan(value) else round(float(value), 5)


def _count(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} ({shown})" if names else "0"


def _made() -> dict[str, str]:
    """When, where and with what."""
    return {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "processor": processor_name(),
        "physical_cores_used": str(default_threads()),
        "python": platform.python_version(),
        **{name: version(name) for name in ("fusedet", "torch", "onnx", "onnxruntime", "numpy")},
    }
