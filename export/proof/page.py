"""The certificate as a page: one HTML file that needs nothing else."""

from pathlib import Path
from typing import Any

from fusedet.common.pages import render
from fusedet.common.text import OPERATING_POINT_NOTE, gmacs, millions
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.drawing.draw import css_color
from fusedet.deploy.drawing.thumbnail import Box, Thumbnail, small_jpeg, thumbnail
from fusedet.export.proof.certificate import Certificate, Worst

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
#: Keys and what people call them, where that is more than another spelling.
_WORDS = {
    "ap_loss": "AP50-95 that it may lose",
    "images": "images that ranges are measured on",
    "input_size": "input size, height and width in px",
    "macs": "multiply-accumulates",
    "nms": "NMS",
    "nms_iou": "IoU of the NMS",
    "pad_value": "padding, 0 to 255",
    "per_channel": "a scale for each output channel",
    "reduce_range": "weights of 7 bits",
    "strides": "strides in px",
}
#: Figures that are no single number.
_POINTS = ("operating_point", "at_training_threshold")


def certificate_page(certificate: Certificate) -> str:
    """The page's text."""
    facts = certificate.facts
    accuracy = facts["accuracy"]
    return render(
        Path(__file__).with_name("certificate.html"),
        certificate=certificate,
        facts=facts,
        name=facts["files"]["plain"]["name"].removesuffix(".onnx"),
        figures=list(dict.fromkeys(key for found in accuracy.values() for key in found if key not in _POINTS)),
        titles=_TITLES,
        operating_points={name: found["operating_point"] for name, found in accuracy.items() if _POINTS[0] in found},
        operating_point_note=OPERATING_POINT_NOTE,
        latencies={name: times for name, times in facts["latency_ms"].items() if isinstance(times, dict)},
        worst=None if certificate.worst is None else _thumbnails(certificate.worst),
        model={_words(key): _text(value, key) for key, value in facts["model"].items()},
        made={_words(key): value for key, value in facts["made"].items()},
        int8_settings=[(_words(key), _text(value)) for key, value in facts.get("int8", {}).get("settings", {}).items()],
    )


def _thumbnails(worst: Worst) -> list[tuple[str, Detections, Thumbnail]]:
    """The detections of both runs over the image that they differ most in, each with the run's name."""
    source = small_jpeg(worst.image, 640)
    size = worst.image.shape[1], worst.image.shape[0]
    both = zip(worst.between, (worst.first, worst.second), strict=True)
    return [(name, found, thumbnail(source, size, _boxes(found))) for name, found in both]


def _boxes(found: Detections) -> list[Box]:
    """The best lie on top."""
    rows = zip(found.boxes_xyxy, found.labels, found.scores, found.class_ids, strict=True)
    boxes = [Box(box, f"{name} {score:.2f}", css_color(int(number))) for box, name, score, number in rows]
    return boxes[::-1]


def _words(key: str) -> str:
    """What people call a key."""
    return _WORDS.get(key, key.replace("_", " "))


def _text(value: Any, key: str = "") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "parameters" and str(value).isdecimal():
        return millions(int(value))
    if key == "macs" and str(value).isdecimal():
        return f"{gmacs(int(value))} for one image"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
