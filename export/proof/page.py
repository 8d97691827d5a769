"""The certificate as a page: one HTML file that needs nothing else."""

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.html import fold, page, percent, section, share, table, verdict
from fusedet.common.text import OPERATING_POINT_NOTE, counted
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.draw import draw_detections
from fusedet.deploy.detector.opencv import cv2
from fusedet.export.proof.certificate import Certificate, Worst

__all__ = ["certificate_page"]

#: Longest side of the pictures on the page, in pixels.
_SIDE = 640

_STYLE = """
.pair { margin: .5rem 0 } img { width: 100%; border-radius: .3rem; display: block }
"""


def certificate_page(certificate: Certificate) -> str:
    """The page's text."""
    facts = certificate.facts
    name = facts["files"]["plain"]["name"].removesuffix(".onnx")
    holds = verdict("Everything asked of it holds", "good") if certificate.passed else verdict("Does not hold", "bad")
    model, made = facts["model"], facts["made"]
    height, width = model["input_size"]
    parts = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="quiet">{counted(len(model["classes"]), "class", "classes")}, input {width} x {height} px, '
        f"{_suppression(facts['duplicate_iou'])}; measured {escape(made['time'])} on "
        f"{escape(made['processor'])}</p>",
        holds,
        section("What was asked", _checks(certificate)),
        section("The same boxes", _agreement(facts["agreement"]), _SAME),
        _worst(certificate.worst),
        section("Accuracy", _accuracy(facts["accuracy"])) if facts["accuracy"] else "",
        section("What is shown", _operating_points(facts["accuracy"]), OPERATING_POINT_NOTE),
        section("Time for one picture", _latency(facts["latency_ms"]), _time_note(facts["latency_ms"])),
        _int8(facts.get("int8")),
        section("Files", _files(facts["files"])),
        section("Operators", _operators(facts["operators"])),
        _activations(facts["activations"]),
        section("Made with", table(("", ""), ([escape(key), escape(value)] for key, value in made.items()))),
        section("What the file says of itself", _model(model)),
    ]
    return page(f"{name}: certificate", "\n".join(part for part in parts if part), _STYLE)


def _suppression(duplicate_iou: float | None) -> str:
    """What follows the network, before boxes are compared and graded."""
    return "with NMS" if duplicate_iou is None else f"without NMS, duplicates above IoU {duplicate_iou} removed"


_SAME = (
    "“Training” is the network as it was trained, in torch, nothing folded, with a letterbox and a decoding of its "
    "own; “plain” and “fused” are the exported files as the runtime runs them. Two detections are a pair when their "
    "class is the same and box and score differ by less than the limits; those of smaller files, “half” and “int8”, "
    "when their IoU is at least 0.8 and their scores at most 0.1 apart, which is told and not asked."
)


def _checks(certificate: Certificate) -> str:
    rows = (
        [escape(check.what), escape(check.wanted), escape(check.found), _mark(check.passed)]
        for check in certificate.checks
    )
    return table(("", "wanted", "found", ""), rows)


def _mark(passed: bool) -> str:
    return '<span class="good">holds</span>' if passed else '<span class="bad">does not hold</span>'


def _agreement(agreements: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        [
            " and ".join(map(escape, one["between"])),
            f"{one['pictures']}",
            f"{one['pairs']}",
            f"{100 * one['matched_share']:.2f} %",
            f"{one['least_iou']:.6f}",
            f"{one['largest_score_difference']:.1e}",
            f"{one['largest_side_difference_px']:.1e}",
        ]
        for one in agreements
    )
    titles = ("", "pictures", "pairs", "share", "least IoU", "score apart by", "sides apart by, px")
    missing = [escape(text) for one in agreements for text in one["missing"]]
    listed = "".join(f"<li>{text}</li>" for text in missing[:20])
    more = f"<li>and {len(missing) - 20} more</li>" if len(missing) > 20 else ""
    faults = fold(f"{len(missing)} without counterpart", f"<ul>{listed}{more}</ul>")
    return table(titles, rows, range(1, 7)) + (faults if missing else "")


def _worst(worst: Worst | None) -> str:
    if worst is None:
        return ""
    figures = "".join(
        f'<figure><img alt="" src="{_picture(worst.image, found)}"><figcaption>{escape(name)}: '
        f"{len(found)} detections</figcaption></figure>"
        for name, found in zip(worst.between, (worst.first, worst.second), strict=True)
    )
    return section("Where they differ most", f'<div class="pair">{figures}</div>', escape(worst.name))


def _picture(image: NDArray[np.uint8], found: Detections) -> str:
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        found = Detections(found.boxes_xyxy * np.float32(scale), found.scores, found.class_ids, found.names)
    _, data = cv2.imencode(".jpg", draw_detections(image, found), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _accuracy(accuracy: Mapping[str, Mapping[str, Any]]) -> str:
    keys = list(dict.fromkeys(key for figures in accuracy.values() for key in figures if key not in _POINTS))
    rows = (
        [escape(name), *("-" if figures.get(key) is None else f"{100 * figures[key]:.2f}" for key in keys)]
        for name, figures in accuracy.items()
    )
    return table(("", *(_TITLES.get(key, key) for key in keys)), rows, range(1, len(keys) + 1))


#: Figures of accuracy and what people call them.
_TITLES = {
    "ap": "AP50-95",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_small": "AP small",
    "ap_medium": "AP medium",
    "ap_large": "AP large",
    "ar": "recall",
}
#: Figures that are no single number.
_POINTS = ("operating_point", "at_training_threshold")


def _operating_points(accuracy: Mapping[str, Mapping[str, Any]]) -> str:
    points = {name: figures["operating_point"] for name, figures in accuracy.items() if "operating_point" in figures}
    rows = (
        [
            escape(name),
            *(_share(point[key], 3) for key in ("threshold", "precision", "recall")),
            percent(_number(point["duplicate_share"]), 2),
            _share(point["count_error"], 3),
            str(point["shown"]),
        ]
        for name, point in points.items()
    )
    titles = ("", "score threshold", "precision", "recall", "duplicates", "count error", "boxes")
    return table(titles, rows, range(1, len(titles))) if points else ""


def _share(value: float | None, digits: int) -> str:
    return share(_number(value), digits)


def _number(value: float | None) -> float:
    """NaN for the null that JSON has in its place."""
    return math.nan if value is None else value


def _latency(latency: Mapping[str, Any]) -> str:
    rows = (
        [escape(name), f"{times['min']:.2f}", f"{times['median']:.2f}"]
        for name, times in latency.items()
        if isinstance(times, Mapping)
    )
    return table(("ms", "quickest", "median"), rows, (1, 2))


def _time_note(latency: Mapping[str, Any]) -> str:
    threads = "1 thread" if latency["threads"] == 1 else f"{latency['threads']} threads"
    return (
        f"Network and decoding, {threads}, {latency['rounds']} rounds in which every file ran once. ONNX Runtime fuses "
        "the plain file too, when it is opened at its highest level; the fused file is fused at every level and on "
        "every processor."
    )


def _int8(facts: Mapping[str, Any] | None) -> str:
    if facts is None:
        return ""
    settings = ", ".join(f"{key} {value}" for key, value in facts["settings"].items())
    attempts = "".join(
        f"<li>{one['in_float']} of the sensitive layers in float: AP50-95 {100 * one['ap']:.2f}</li>"
        for one in facts["attempts"]
    )
    before = "" if facts["ap_before"] is None else f"<p>AP50-95 in float: {100 * facts['ap_before']:.2f}</p>"
    rows = (
        [escape(one["layer"]), f"{one['error']:.5f}", "in float" if one["layer"] in facts["in_float"] else ""]
        for one in facts["sensitivities"]
    )
    layers = table(("convolution", "change of the predictions when it alone is quantised", ""), rows, (1,))
    return section(
        "INT8",
        f"{before}<ul>{attempts}</ul>" + fold("How sensitive each layer is", layers),
        f"{facts['quantised']} convolutions on bytes, {len(facts['in_float'])} in float; {escape(settings)}",
    )


def _files(files: Mapping[str, Mapping[str, Any]]) -> str:
    rows = (
        [escape(kind), escape(one["name"]), f"{one['bytes']:,}", f"<code>{one['sha256']}</code>"]
        for kind, one in files.items()
    )
    return table(("", "file", "bytes", "SHA-256"), rows, (2,))


def _operators(operators: Mapping[str, Mapping[str, int]]) -> str:
    rows = ([escape(file), escape(", ".join(f"{n} {op}" for op, n in ops.items()))] for file, ops in operators.items())
    return table(("", ""), rows)


def _activations(carriers: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        [escape(one["node"]), escape(one["op"]), escape(one["activation"]), ", ".join(map(str, one["parameters"]))]
        for one in carriers
    )
    listed = table(("convolution", "operator", "activation inside", "its numbers"), rows)
    return fold(f"{len(carriers)} activations and the convolutions that carry them", listed)


def _model(model: Mapping[str, Any]) -> str:
    texts = {key: ", ".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in model.items()}
    return table(("", ""), ([escape(key), escape(text)] for key, text in texts.items()))
