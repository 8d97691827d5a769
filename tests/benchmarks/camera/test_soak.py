import pytest

from benchmarks.camera.runtime import measure_age
from benchmarks.camera.soak import soak
from benchmarks.camera.soak_sources import main as soak_sources
from fusedet.configs.starter import starter_model
from tests.deploy.camera.sinks.servers import MOSQUITTO


@pytest.mark.slow
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_no_event_is_lost_while_the_camera_is_killed_and_frozen() -> None:
    figures = soak(75)
    assert figures["exit_code"] == 0
    assert figures["killed"] + figures["frozen"] >= 1
    assert figures["reconnects"] >= 1
    assert figures["events"] > 5
    assert figures["events_lost"] == 0
    assert figures["tracebacks"] == 0
    assert figures["captured"] == figures["processed"] + figures["dropped"] + figures["failed"]


@pytest.mark.slow
def test_the_age_of_results_does_not_grow() -> None:
    figures = measure_age(starter_model("nano"), 20)
    assert figures["age_ms"]["p95"] <= figures["limit_ms"]
    assert figures["unaccounted"] == 0
    assert figures["dropped"] > figures["processed"] > 100


@pytest.mark.slow
def test_sources_that_stay_away_and_break_the_rules_cost_no_frame() -> None:
    assert soak_sources(["--minutes", "0.5", "--watchdog", "0.5"]) == 0
