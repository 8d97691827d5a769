"""The status as text for Prometheus, format 0.0.4."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: Numbers of a camera -> name and help of the metric; what ends in ``_total`` is a counter, anything else a gauge.
_OF_CAMERAS = {
    "captured": ("fusedet_frames_captured_total", "Frames that the camera gave."),
    "processed": ("fusedet_frames_processed_total", "Frames that the network has seen."),
    "dropped": ("fusedet_frames_dropped_total", "Frames left out because newer ones were there."),
    "failed": ("fusedet_frames_failed_total", "Frames that could not be processed."),
    "unreadable": ("fusedet_images_unreadable_total", "Images left out because they could not be read."),
    "reconnects": ("fusedet_reconnects_total", "Times that the source was opened anew."),
    "fps": ("fusedet_frames_per_second", "Frames processed in a second, lately."),
}
_TIMES_OF_CAMERAS = {
    "inference_ms": ("fusedet_inference_seconds", "Time of the network for a frame, of the last ones."),
    "age_ms": ("fusedet_age_seconds", "From a frame's capture to its result, of the last ones."),
}
_OF_SINKS = {
    "written": ("fusedet_sink_written_total", "Results that the output has taken."),
    "dropped": ("fusedet_sink_dropped_total", "Results that were given up."),
    "waiting": ("fusedet_sink_waiting", "Results that wait for the output."),
}
#: The one count of a place that goes down as well.
_INSIDE = "inside"
_STATES = ("running", "waiting", "ended")
_QUANTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}

#: The labels of a sample, and its value.
_Sample = tuple[dict[str, str], Any]


def to_prometheus(status: Mapping[str, Any], healthy: bool, viewers: int, encoded: int) -> str:
    """Text for a scrape, of the pipeline's status; what that lacks or does not know yet is left out.

    ``viewers`` are open live views, ``encoded`` the images encoded for them so far.
    """
    metrics = [
        _metric("fusedet_healthy", "1 where every camera delivers and every output takes.", [({}, healthy)]),
        _metric("fusedet_uptime_seconds", "Since the start.", [({}, status.get("uptime_s"))]),
        _metric("fusedet_memory_bytes", "Resident memory.", [({}, _times(status.get("memory_mb"), 1e6))]),
        _metric("fusedet_cpu_cores", "Cores' worth of processor time in use.", [({}, status.get("cpu_share"))]),
        _metric("fusedet_score_threshold", "Lowest score that counts.", [({}, status.get("score"))]),
        *_camera_metrics(status.get("cameras", {})),
        *_sink_metrics(status.get("sinks", {})),
        _metric("fusedet_page_viewers", "Open live views.", [({}, viewers)]),
        _metric("fusedet_page_images_encoded_total", "Images encoded for live views.", [({}, encoded)]),
    ]
    return "".join(metrics)


def _camera_metrics(cameras: Mapping[str, Any]) -> Iterator[str]:
    for key, (name, about) in _OF_CAMERAS.items():
        yield _metric(name, about, [({"camera": c}, v.get(key)) for c, v in cameras.items()])
    for key, (name, about) in _TIMES_OF_CAMERAS.items():
        yield _metric(name, about, [one for c, v in cameras.items() for one in _quantiles(c, v.get(key))])
    states = [({"camera": c, "state": state}, v.get("state") == state) for c, v in cameras.items() for state in _STATES]
    yield _metric("fusedet_camera_state", "1 for the state that the camera is in.", states)
    seen = [({"camera": c, "class": label}, n) for c, v in cameras.items() for label, n in _items(v.get("visible"))]
    yield _metric("fusedet_objects_visible", "Objects in the last frame.", seen)
    counts = [
        ({"camera": c, "place": place}, kind, number)
        for c, v in cameras.items()
        for place, kinds in _items(v.get("places"))
        for kind, number in _flat(kinds)
    ]
    inside = [(labels, number) for labels, kind, number in counts if kind == _INSIDE]
    yield _metric("fusedet_place_objects", "Objects in the zone in the last frame.", inside)
    events = [({**labels, "kind": kind}, number) for labels, kind, number in counts if kind != _INSIDE]
    yield _metric("fusedet_place_events_total", "Events of zones and lines since the start.", events)


def _sink_metrics(sinks: Mapping[str, Any]) -> Iterator[str]:
    for key, (name, about) in _OF_SINKS.items():
        yield _metric(name, about, [({"sink": s}, v.get(key)) for s, v in sinks.items()])
    failing = [({"sink": s}, v.get("error") is not None) for s, v in sinks.items()]
    yield _metric("fusedet_sink_failing", "1 where the output has an error.", failing)


def _metric(name: str, about: str, samples: Iterable[_Sample]) -> str:
    """Its lines; samples without a number are left out, and so is a metric without samples."""
    known = [f"{name}{_labels(labels)} {_number(v)}\n" for labels, v in samples if isinstance(v, int | float)]
    kind = "counter" if name.endswith("_total") else "gauge"
    return "".join([f"# HELP {name} {about}\n", f"# TYPE {name} {kind}\n", *known]) if known else ""


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(text: str) -> str:
    text = str(text).encode("utf-8", "replace").decode()  # half a surrogate pair cannot be sent
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _times(value: Any, factor: float) -> Any:
    return value * factor if isinstance(value, int | float) else None


def _quantiles(camera: str, value: Any) -> Iterator[tuple[dict[str, str], Any]]:
    for key, number in _items(value):
        if key in _QUANTILES:
            yield {"camera": camera, "quantile": _QUANTILES[key]}, _times(number, 1e-3)


def _items(value: Any) -> Any:
    return value.items() if isinstance(value, Mapping) else ()


def _flat(counts: Any) -> Iterator[tuple[str, Any]]:
    """``kind -> number``; what is counted by class is summed up."""
    for kind, number in _items(counts):
        yield kind, sum(v for _, v in _items(number)) if isinstance(number, Mapping) else number
