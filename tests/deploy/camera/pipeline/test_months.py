"""What happens to a camera in months: it goes away and comes back, hangs, breaks, and its frames fail."""

import logging
import math
from collections.abc import Iterator
from time import monotonic, sleep

import pytest

from fusedet.deploy import Detector
from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.pipeline.camera import CameraSettings
from fusedet.deploy.camera.pipeline.pipeline import Pipeline
from fusedet.deploy.camera.pipeline.sink_worker import SinkWorker
from fusedet.deploy.camera.sources import Frame, SourceHealth
from tests.deploy.camera.pipeline.cameras import LedCamera, moving_square
from tests.deploy.camera.pipeline.test_pipeline import (
    Collector,
    detector,
    figures,
    give_one_by_one,
    model,
    running,
    settings,
)
from tests.waiting import wait_until

__all__ = ["detector", "model"]


class Stamped(LedCamera):
    """Its frames have these stamps; after them it fails, or ends where it is a file."""

    def __init__(self, *stamps: float, live: bool = True, fails: Exception | None = None) -> None:
        super().__init__(drops=False)
        self.live, self.stamps, self.fails = live, stamps, fails

    def __iter__(self) -> Iterator[Frame]:
        for index, stamp_s in enumerate(self.stamps):
            yield Frame(moving_square(index), "led", "led", index, stamp_s)
        if self.fails is not None:
            raise self.fails


def watched(*sources: LedCamera) -> CameraSettings:
    """A camera whose source is each of these in turn, and the last one again and again."""
    left = list(sources)
    return CameraSettings("door", lambda: left.pop(0) if len(left) > 1 else left[0], Places())


def test_frames_of_a_source_that_was_opened_anew_come_after_those_before(detector: Detector) -> None:
    first, second, sink = LedCamera(), LedCamera(), Collector()
    workers = [SinkWorker("sink", lambda: sink)]
    with running(Pipeline([watched(first, second)], detector, "m", workers)) as pipeline:
        give_one_by_one(pipeline, first, 5)
        pipeline._cameras["door"].capture.restart()  # as the watchdog does
        wait_until(lambda: figures(pipeline)["reconnects"] == 1, "another one is opened")
        give_one_by_one(pipeline, second, 3)  # its own time begins at 0
        assert (figures(pipeline)["failed"], pipeline.healthy()) == (0, (True, "ok"))
    frames = [result.frame for result in sink.results]
    assert [frame.index for frame in frames] == list(range(8))
    times = [frame.time_s for frame in frames]
    assert times == sorted(set(times), key=float)  # type: ignore[arg-type]
    away_s = frames[5].captured_s - frames[4].captured_s
    assert times[5] - times[4] == pytest.approx(away_s)  # type: ignore[operator]


@pytest.mark.parametrize(
    "stamps",
    [
        (0, 0.1, 45.1, 45.2),
        (0, 0, 0, 0),
        (5, 4, 3, 2),
        (math.nan, 1, math.nan, 2),
        (95443.6, 95443.7, 0, 0.1),
        (0, 1e300, -1e300, math.inf),
    ],
    ids=["gap", "equal", "backwards", "nan", "wrapped", "wild"],
)
@pytest.mark.parametrize("live", [True, False])
def test_no_frame_fails_whatever_the_stamps_do(detector: Detector, stamps: tuple[float, ...], live: bool) -> None:
    sink = Collector()
    source = Stamped(*stamps, live=live)
    with running(Pipeline([settings(source)], detector, "m", [SinkWorker("sink", lambda: sink)])) as pipeline:
        assert pipeline.wait(60)
    assert (figures(pipeline)["processed"], figures(pipeline)["failed"]) == (4, 0)
    times = [float(result.frame.time_s or 0) for result in sink.results]
    assert all(math.isfinite(time_s) for time_s in times)
    assert times == sorted(set(times))


def test_a_camera_that_breaks_in_an_unforeseen_way_is_opened_anew(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fusedet.deploy.camera.pipeline.capture._REOPEN_S", 0.01)
    broken, last = Stamped(0, 1, fails=ZeroDivisionError("a defect")), LedCamera()
    with running(Pipeline([watched(broken, last)], detector, "m")) as pipeline:
        wait_until(lambda: figures(pipeline)["processed"] == 2, "its frames are looked at")
        give_one_by_one(pipeline, last, 2)
        assert (figures(pipeline)["state"], figures(pipeline)["reconnects"]) == ("running", 1)


def test_a_source_that_waits_for_the_time_of_its_next_frame_does_not_hang(detector: Detector) -> None:
    class Waiting(LedCamera):
        @property
        def health(self) -> SourceHealth:
            return SourceHealth(alive_s=monotonic())

        @health.setter
        def health(self, health: SourceHealth) -> None:
            pass

    camera = Waiting()
    with running(Pipeline([settings(camera)], detector, "m", watchdog_s=0.1)) as pipeline:
        give_one_by_one(pipeline, camera, 1)
        sleep(0.19)
        sleep(0.19)
        assert figures(pipeline)["reconnects"] == 0
        give_one_by_one(pipeline, camera, 1)


def _raise(*_: object, **__: object) -> None:
    raise RuntimeError("out of\nmemory")


@pytest.mark.parametrize(
    "broken",
    [
        "fusedet.deploy.detector.detector.Detector.prepare",
        "fusedet.deploy.detector.detector.Detector.infer",
        "fusedet.deploy.detector.detector.Detector.read",
        "fusedet.deploy.tracking.tracker.Tracker.update",
        "fusedet.deploy.camera.events.rules.Rules.update",
        "fusedet.deploy.camera.pipeline.sink_worker.SinkWorker.put",
        "fusedet.deploy.camera.pipeline.recent_events.RecentEvents.add",
    ],
)
def test_it_is_not_healthy_while_every_frame_fails(
    detector: Detector, broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    camera, sink = LedCamera(), Collector()
    with running(Pipeline([settings(camera)], detector, "m", [SinkWorker("sink", lambda: sink)])) as pipeline:
        give_one_by_one(pipeline, camera, 1)
        with monkeypatch.context() as patch:
            patch.setattr(broken, _raise)
            for failed in range(1, 6):
                camera.give()
                wait_until(lambda failed=failed: figures(pipeline)["failed"] == failed, "it fails")
            assert pipeline.healthy() == (False, "camera door: every frame fails: out of memory")
            assert figures(pipeline)["error"] == "every frame fails: out of memory"
        give_one_by_one(pipeline, camera, 1)
        assert pipeline.healthy() == (True, "ok")
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert "camera door: frame 1 failed: out of memory" in told[0].getMessage()


def test_a_sink_that_cannot_be_reached_keeps_nothing_from_the_others(detector: Detector) -> None:
    camera, first, last = LedCamera(), Collector(), Collector()
    workers = [SinkWorker("first", lambda: first), SinkWorker("last", lambda: last)]
    workers[0].put = _raise  # type: ignore[method-assign]
    with running(Pipeline([settings(camera)], detector, "m", workers)) as pipeline:
        camera.give()
        wait_until(lambda: len(last.results) == 1, "the other one has it")
        assert pipeline.latest("door") is last.results[0]


def test_frames_that_come_between_the_stop_and_the_end_are_counted(detector: Detector) -> None:
    camera = LedCamera()
    with running(Pipeline([settings(camera)], detector, "m")) as pipeline:
        give_one_by_one(pipeline, camera, 1)
        pipeline.stop()
        assert pipeline.wait(60)
        camera.give()
        wait_until(lambda: figures(pipeline)["captured"] == 2, "it is captured")
    found = figures(pipeline)
    assert found["captured"] == found["processed"] + found["dropped"] + found["failed"]  # type: ignore[operator]


def test_images_that_a_source_left_out_are_told(detector: Detector) -> None:
    first, second = LedCamera(), LedCamera()
    with running(Pipeline([watched(first, second)], detector, "m")) as pipeline:
        give_one_by_one(pipeline, first, 1)
        first.unreadable, second.unreadable = 3, 4
        assert figures(pipeline)["unreadable"] == 3
        pipeline._cameras["door"].capture.restart()  # as the watchdog does
        wait_until(lambda: figures(pipeline)["reconnects"] == 1, "another one is opened")
        assert figures(pipeline)["unreadable"] == 7
