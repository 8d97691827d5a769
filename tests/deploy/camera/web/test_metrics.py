import re

from fusedet.deploy.camera.web.metrics import to_prometheus
from fusedet.deploy.camera.web.server import WebServer
from tests.deploy.camera.web.conftest import ask
from tests.deploy.camera.web.memory_monitor import MemoryMonitor

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABELS = r'\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*",?)+\}'
SAMPLE = re.compile(rf"({NAME})({LABELS})? (NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)")


def read(text: str) -> dict[str, str]:
    """Samples -> values; checks the format on the way."""
    samples: dict[str, str] = {}
    told: dict[str, set[str]] = {"HELP": set(), "TYPE": set()}
    last = ""
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            assert name not in told[word], f"{name} is told twice"
            assert word != "TYPE" or rest in ("counter", "gauge")
            assert word != "TYPE" or (rest == "counter") == name.endswith("_total")
            told[word].add(name)
            last = name
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        assert match[1] == last, "all samples of a metric stand together"
        assert match[1] in told["HELP"] & told["TYPE"]
        assert line.rpartition(" ")[0] not in samples
        samples[line.rpartition(" ")[0]] = match[3]
    return samples


def test_a_scrape(server: WebServer, monitor: MemoryMonitor) -> None:
    monitor.cameras["door"].update(captured=12, processed=10, dropped=2, visible={"car": 3}, reconnects=1)
    monitor.cameras["door"]["places"] = {
        "gate": {"in": 4, "out": {"car": 2, "dog": 3}},
        "step": {"inside": {"car": 2}, "enter": {"car": 9}},
    }
    monitor.sinks["mqtt"] = {"written": 5, "dropped": 1, "waiting": 7, "error": "connection refused"}
    answer = ask(server, "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = read(answer.body.decode())
    assert samples['fusedet_frames_captured_total{camera="door"}'] == "12"
    assert samples['fusedet_frames_processed_total{camera="door"}'] == "10"
    assert samples['fusedet_frames_dropped_total{camera="door"}'] == "2"
    assert samples['fusedet_reconnects_total{camera="door"}'] == "1"
    assert samples['fusedet_camera_state{camera="door",state="running"}'] == "1"
    assert samples['fusedet_camera_state{camera="door",state="waiting"}'] == "0"
    assert float(samples['fusedet_inference_seconds{camera="door",quantile="0.95"}']) == 0.038
    assert samples['fusedet_objects_visible{camera="door",class="car"}'] == "3"
    assert samples['fusedet_place_events_total{camera="door",place="gate",kind="in"}'] == "4"
    assert samples['fusedet_place_events_total{camera="door",place="gate",kind="out"}'] == "5"
    assert samples['fusedet_place_events_total{camera="door",place="step",kind="enter"}'] == "9"
    assert samples['fusedet_place_objects{camera="door",place="step"}'] == "2"
    assert not [name for name in samples if name.startswith("fusedet_place_") and 'kind="inside"' in name]
    assert samples['fusedet_sink_written_total{sink="mqtt"}'] == "5"
    assert samples['fusedet_sink_failing{sink="mqtt"}'] == "1"
    assert samples['fusedet_sink_failing{sink="events"}'] == "0"
    assert samples["fusedet_memory_bytes"] == "141300000"
    assert samples["fusedet_healthy"] == "1"
    assert samples["fusedet_page_viewers"] == "0"


def test_names_from_outside_are_escaped() -> None:
    name = 'a"b\\c\nd\ud800 # TYPE x counter'
    samples = read(to_prometheus({"cameras": {name: {"state": "running", "captured": 1}}}, True, 0, 0))
    assert 'fusedet_frames_captured_total{camera="a\\"b\\\\c\\nd? # TYPE x counter"}' in samples


def test_what_is_not_known_yet_is_left_out() -> None:
    status = {
        "cameras": {"door": {"state": "waiting", "inference_ms": None, "age_ms": {"p50": None}, "fps": float("nan")}},
        "sinks": {},
    }
    samples = read(to_prometheus(status, False, 1, 2))
    assert not [name for name in samples if "seconds{" in name]
    assert samples['fusedet_frames_per_second{camera="door"}'] == "NaN"
    assert samples["fusedet_healthy"] == "0"
    assert samples["fusedet_page_images_encoded_total"] == "2"
