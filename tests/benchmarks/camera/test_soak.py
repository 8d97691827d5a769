import pytest

from benchmarks.camera.runtime import measure_age
from benchmarks.camera.soak import main as soak
from fusedet.configs.starter import starter_model
from tests.deploy.camera.sinks.servers import MOSQUITTO


@pytest.mark.slow
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_outages_broken_images_and_a_clock_that_is_set_cost_no_frame_and_no_event() -> None:
    assert soak(["--minutes", "1.5", "--watchdog", "2"]) == 0


@pytest.mark.slow
def test_the_age_of_results_does_not_grow() -> None:
    figures = measure_age(starter_model("nano"), 20)
    assert figures["age_ms"]["p95"] <= figures["limit_ms"]
    assert figures["unaccounted"] == 0
    assert figures["dropped"] > figures["processed"] > 100
