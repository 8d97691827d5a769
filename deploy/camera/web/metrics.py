"""The status as text for Prometheus, format 0.0.4."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

#: Attribute of a camera -> name and help; all are counters.
_CAMERA_COUNTERS = {
    "captured": ("fusedet_frames_captured_total", "Frames that the camera gave."),
    "processed": ("fusedet_frames_processed_total", "Frames that the network has seen."),
    "dropped": ("fusedet_frames_dropped_total", "Frames left out because newer ones were there."),
    "failed": ("fusedet_frames_failed_total", "Frames that could not be processed."),
    "unreadable": ("fusedet_images_unreadable_total", "Images left out because they could not be read."),
    "reconnects": ("fusedet_reconnects_total", "Times that the source was opened anew."),
}
_SINK_COUNTERS = {
    "written": ("fusedet_sink_written_total", "Results that the output has taken."),
    "dropped": ("fusedet_sink_dropped_total", "Results that were given up."),
}
#: The one count of a place that goes down as well.
_INSIDE = "inside"
_STATES = ("running", "waiting", "ended")
_QUANTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}


def to_prometheus(status: Mapping[str, Any], healthy: bool, viewers: int, encoded: int) -> str:
    """Text for a scrape, of the pipeline's status; what that lacks or does not know yet is left out.

    ``viewers`` are open live views, ``encoded`` the images encoded for them so far.
    """
    text = _Text()
    cameras, sinks = status.get("cameras", {}), status.get("sinks", {})
    text.add("fusedet_healthy", "gauge", "1 where every camera delivers and every output takes.", [({}, int(healthy))])
    text.add("fusedet_uptime_seconds", "gauge", "Since the start.", [({}, status.get("uptime_s"))])
    text.add("fusedet_memory_bytes", "gauge", "Resident memory.", [({}, _times(status.get("memory_mb"), 1e6))])
    text.add("fusedet_cpu_cores", "gauge", "Cores' worth of processor time in use.", [({}, status.get("cpu_share"))])
    text.add("fusedet_score_threshold", "gauge", "Lowest score that counts.", [({}, status.get("score"))])
    for key, (name, about) in _CAMERA_COUNTERS.items():
        text.add(name, "counter", about, [({"camera": c}, v.get(key)) for c, v in cameras.items()])
    states = [
        ({"camera": c, "state": state}, int(v.get("state") == state)) for c, v in cameras.items() for state in _STATES
    ]
    text.add("fusedet_camera_state", "gauge", "1 for the state that the camera is in.", states)
    rates = [({"camera": c}, v.get("fps")) for c, v in cameras.items()]
    text.add("fusedet_frames_per_second", "gauge", "Frames processed in a second, lately.", rates)
    for key, name, about in (
        ("inference_ms", "fusedet_inference_seconds", "Time of the network for a frame, of the last ones."),
        ("age_ms", "fusedet_age_seconds", "From a frame's capture to its result, of the last ones."),
    ):
        text.add(name, "gauge", about, [row for c, v in cameras.items() for row in _quantiles(c, v.get(key))])
    seen = [
        ({"camera": c, "class": label}, count) for c, v in cameras.items() for label, count in _items(v.get("visible"))
    ]
    text.add("fusedet_objects_visible", "gauge", "Objects in the last frame.", seen)
    counts = [
        ({"camera": c, "place": place}, kind, number)
        for c, v in cameras.items()
        for place, kinds in _items(v.get("places"))
        for kind, number in _flat(kinds)
    ]
    inside = [(labels, number) for labels, kind, number in counts if kind == _INSIDE]
    text.add("fusedet_place_objects", "gauge", "Objects in the zone in the last frame.", inside)
    events = [({**labels, "kind": kind}, number) for labels, kind, number in counts if kind != _INSIDE]
    text.add("fusedet_place_events_total", "counter", "Events of zones and lines since the start.", events)
    for key, (name, about) in _SINK_COUNTERS.items():
        text.add(name, "counter", about, [({"sink": s}, v.get(key)) for s, v in sinks.items()])
    waiting = [({"sink": s}, v.get("waiting")) for s, v in sinks.items()]
    text.add("fusedet_sink_waiting", "gauge", "Results that wait for the output.", waiting)
    failing = [({"sink": s}, int(v.get("error") is not None)) for s, v in sinks.items()]
    text.add("fusedet_sink_failing", "gauge", "1 where the output has an error.", failing)
    text.add("fusedet_page_viewers", "gauge", "Open live views.", [({}, viewers)])
    text.add("fusedet_page_images_encoded_total", "counter", "Images encoded for live views.", [({}, encoded)])
    return text.whole()


class _Text:
    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, name: str, kind: str, about: str, rows: list[tuple[dict[str, str], Any]]) -> None:
        """One metric; rows without a number are left out, and so is a metric without rows."""
        known = [(labels, value) for labels, value in rows if isinstance(value, int | float)]
        if known:
            self._lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            self._lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in known]

    def whole(self) -> str:
        return "".join(line + "\n" for line in self._lines)


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
