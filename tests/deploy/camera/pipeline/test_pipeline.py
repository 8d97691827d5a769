"""The pipeline with sources that the tests lead, so that nothing depends on how fast the machine is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy import Contract, Detector
from fusedet.deploy.camera.events.places import Line, Places, Zone
from fusedet.deploy.camera.pipeline.camera import CameraSettings
from fusedet.deploy.camera.pipeline.pipeline import Pipeline
from fusedet.deploy.camera.pipeline.sink_worker import SinkWorker
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks import Sink
from fusedet.deploy.detector.detector import PreparedImage, RawOutputs
from tests.deploy.camera.pipeline.cameras import LedCamera
from tests.deploy.conftest import NAMES, build_model
from tests.waiting import wait_until

RIGHT_HALF = Zone("right", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
MIDDLE = Line("middle", (0.5, 1.0), (0.5, 0.0))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "square.onnx"
    onnx.save(build_model(Contract(NAMES, (64, 64)), scores=(0.9,)), path)
    return path


@pytest.fixture
def detector(model: Path) -> Detector:
    return Detector(model, threads=1)


class Collector(Sink):
    """Keeps what it gets; can be slow, hang or fail."""

    def __init__(self, *, events_only: bool = False) -> None:
        self.events_only = events_only
        self.results: list[Result] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.failure: Exception | None = None
        self.closed = False

    def write(self, result: Result) -> None:
        self.entered.set()
        self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.results.append(result)

    def close(self) -> None:
        self.closed = True


class SlowDetector(Detector):
    """Looks at an image once it is allowed to."""

    allowed = threading.Semaphore(0)

    def infer(self, prepared: PreparedImage) -> RawOutputs:
        if any(array.any() for array in prepared.feed.values()):  # the first, black one warms up
            self.allowed.acquire()
        return super().infer(prepared)


@contextmanager
def running(pipeline: Pipeline) -> Iterator[Pipeline]:
    before = threading.active_count()
    with pipeline:
        yield pipeline
    wait_until(lambda: threading.active_count() <= before, "every thread has ended")


def settings(camera: LedCamera, places: Places | None = None, name: str = "door") -> CameraSettings:
    return CameraSettings(name, lambda: camera, places or Places())


def figures(pipeline: Pipeline, name: str = "door") -> dict[str, object]:
    return pipeline.status()["cameras"][name]  # type: ignore[no-any-return]


def processed(pipeline: Pipeline, name: str = "door") -> int:
    return int(str(figures(pipeline, name)["processed"]))


def newest(pipeline: Pipeline) -> Result:
    result = pipeline.latest("door")
    assert result is not None
    return result


def give_one_by_one(pipeline: Pipeline, camera: LedCamera, count: int) -> None:
    """So that no frame is dropped."""
    start = processed(pipeline)
    for done in range(1, count + 1):
        camera.give()
        wait_until(lambda done=done: processed(pipeline) == start + done, f"frame {done} is looked at")


def test_a_frame_becomes_a_result_with_its_age_and_its_track(detector: Detector) -> None:
    camera, sink = LedCamera(), Collector()
    with running(Pipeline([settings(camera)], detector, "square.onnx", [SinkWorker("sink", lambda: sink)])) as pipeline:
        give_one_by_one(pipeline, camera, 3)
        wait_until(lambda: len(sink.results) == 3, "the sink has them")
        latest = newest(pipeline)
    assert latest is sink.results[-1]
    assert latest.camera == "door"
    assert latest.frame.index == 2
    assert latest.detections.labels == ["red"]
    assert latest.detections.track_ids is not None
    assert latest.detections.track_ids.tolist() == [1]
    assert 0 < latest.age_s < 60
    assert sink.closed
    assert camera.closed.is_set()


def test_drops_are_counted_exactly_when_detection_is_slower_than_the_camera(model: Path) -> None:
    camera, detector = LedCamera(), SlowDetector(model, threads=1)
    with running(Pipeline([settings(camera)], detector, "m")) as pipeline:
        camera.give()
        wait_until(lambda: figures(pipeline)["captured"] == 1, "the first frame")
        wait_until(lambda: pipeline.stuck_s > 0, "detection has it")
        camera.give(7)
        wait_until(lambda: figures(pipeline)["captured"] == 8, "seven more while detection is busy")
        detector.allowed.release(2)
        wait_until(lambda: processed(pipeline) == 2, "the first and the newest")
        assert newest(pipeline).frame.index == 7
        assert figures(pipeline)["dropped"] == 6


def test_a_file_is_seen_whole_however_slow_a_sink_is(detector: Detector) -> None:
    camera, sink = LedCamera(drops=False), Collector()
    sink.gate.clear()
    worker = SinkWorker("slow", lambda: sink, capacity=2)
    with running(Pipeline([settings(camera)], detector, "m", [worker])) as pipeline:
        camera.give(20)
        camera.end()
        assert sink.entered.wait(60)
        sink.gate.set()
        assert pipeline.wait(60)
    assert [result.frame.index for result in sink.results] == list(range(20))
    assert figures(pipeline)["dropped"] == 0
    assert figures(pipeline)["state"] == "ended"


def test_a_sink_that_hangs_blocks_nobody_and_is_replaced(detector: Detector) -> None:
    camera, other = LedCamera(), Collector()
    sinks: list[Collector] = []

    def make() -> Collector:
        sinks.append(Collector())
        if len(sinks) == 1:
            sinks[0].gate.clear()
        return sinks[-1]

    workers = [SinkWorker("hangs", make, capacity=4), SinkWorker("other", lambda: other)]
    with running(Pipeline([settings(camera)], detector, "m", workers, watchdog_s=0.3)) as pipeline:
        give_one_by_one(pipeline, camera, 10)
        wait_until(lambda: len(other.results) == 10, "the other one gets everything")
        wait_until(lambda: len(sinks) == 2, "another sink takes its place")
        wait_until(lambda: len(sinks[1].results) == 4, "which gets what waited")
        report = pipeline.status()["sinks"]["hangs"]
        assert report["dropped"] == 5
        sinks[0].gate.set()


def test_a_sink_that_fails_says_so_and_works_again(detector: Detector, caplog: pytest.LogCaptureFixture) -> None:
    camera, sink = LedCamera(), Collector()
    sink.failure = OSError(28, "No space left on device", "events.jsonl")
    with running(Pipeline([settings(camera)], detector, "m", [SinkWorker("events", lambda: sink)])) as pipeline:
        give_one_by_one(pipeline, camera, 3)
        wait_until(lambda: pipeline.status()["sinks"]["events"]["dropped"] == 3, "all failed")
        assert pipeline.healthy() == (False, "events: events.jsonl: No space left on device")
        sink.failure = None
        give_one_by_one(pipeline, camera, 1)
        wait_until(lambda: pipeline.healthy() == (True, "ok"), "it works again")
    told = [record.getMessage() for record in caplog.records]
    assert told == ["events: events.jsonl: No space left on device", "events: works again"]


def test_events_are_kept_when_a_queue_overflows(detector: Detector) -> None:
    camera, sink = LedCamera(), Collector()
    sink.gate.clear()
    places = Places(lines=(MIDDLE,))
    worker = SinkWorker("slow", lambda: sink, capacity=3)
    with running(Pipeline([settings(camera, places)], detector, "m", [worker])) as pipeline:
        give_one_by_one(pipeline, camera, 45)  # the square crosses the middle once
        assert len(pipeline.recent_events()) == 1
        sink.gate.set()
    crossed = [result for result in sink.results if result.events]
    assert [event.direction for result in crossed for event in result.events] == ["in"]
    assert len(sink.results) == 4  # the one it had, and those that waited
    assert pipeline.status()["sinks"]["slow"]["dropped"] == 41


def test_an_output_for_events_gets_nothing_else(detector: Detector) -> None:
    camera, sink = LedCamera(), Collector(events_only=True)
    places = Places(zones=(RIGHT_HALF,))
    worker = SinkWorker("events", lambda: sink)
    with running(Pipeline([settings(camera, places)], detector, "m", [worker])) as pipeline:
        give_one_by_one(pipeline, camera, 40)
        counts = figures(pipeline)["places"]
    assert [event.kind for result in sink.results for event in result.events] == ["enter"]
    assert counts == {"right": {"inside": {"red": 1}, "enter": {"red": 1}, "leave": {}, "dwell": {}}}
    event, image = pipeline.recent_events()[0]
    assert event.place == "right"
    assert image.startswith(b"\xff\xd8")


@pytest.mark.parametrize("duplicate_iou", [0.7, None])
def test_an_object_that_the_network_reports_twice_is_counted_once_in_a_zone(
    duplicate_iou: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "twice.onnx"
    onnx.save(build_model(Contract(NAMES, (64, 64)), scores=(0.9, 0.8)), path)  # the second box is moved 1 px of 16
    detector, camera = Detector(path, threads=1, duplicate_iou=duplicate_iou), LedCamera()
    with running(Pipeline([settings(camera, Places(zones=(RIGHT_HALF,)))], detector, "twice.onnx")) as pipeline:
        give_one_by_one(pipeline, camera, 40)
        counts = pipeline.status()["cameras"]["door"]["places"]
    entered = counts["right"]["enter"]["red"]
    # Two tracks of nearly one box may change places between frames that come late, and enter once more.
    assert entered == 1 if duplicate_iou is not None else entered >= 2


def test_a_camera_that_hangs_is_opened_anew(detector: Detector) -> None:
    cameras = [LedCamera(), LedCamera()]
    opened = iter(cameras)
    hanging = CameraSettings("door", lambda: next(opened))
    with running(Pipeline([hanging], detector, "m", watchdog_s=0.3)) as pipeline:
        give_one_by_one(pipeline, cameras[0], 1)
        cameras[0].hanging.set()
        wait_until(lambda: figures(pipeline)["reconnects"] == 1, "it is opened anew")
        cameras[1].give()
        wait_until(lambda: processed(pipeline) == 2, "the new one is read")
        wait_until(lambda: figures(pipeline)["state"] == "running", "and all is well")
        assert cameras[0].closed.is_set()


def test_a_camera_that_cannot_be_opened_anew_is_tried_again(detector: Detector) -> None:
    first, last = LedCamera(), LedCamera()
    answers: list[LedCamera | InputError] = [first, InputError("camera 0: busy"), last]

    def open_next() -> LedCamera:
        answer = answers.pop(0)
        if isinstance(answer, InputError):
            raise answer
        return answer

    with running(Pipeline([CameraSettings("door", open_next)], detector, "m", watchdog_s=0.2)) as pipeline:
        give_one_by_one(pipeline, first, 1)
        first.hanging.set()
        wait_until(lambda: pipeline.healthy() == (False, "camera door: camera 0: busy"), "it says what is wrong")
        wait_until(lambda: not answers, "it tries again")
        last.give()
        wait_until(lambda: pipeline.healthy()[0], "all is well")


def test_several_cameras_share_the_detector(detector: Detector) -> None:
    cameras = {name: LedCamera() for name in ("a", "b", "c")}
    parts = [settings(camera, name=name) for name, camera in cameras.items()]
    with running(Pipeline(parts, detector, "m")) as pipeline:
        for camera in cameras.values():
            camera.give()
        wait_until(lambda: all(processed(pipeline, name) == 1 for name in cameras), "each is looked at")
        results = [pipeline.latest(name) for name in cameras]
    assert [result.camera for result in results if result] == list(cameras)


def test_score_and_classes_count_from_the_next_frame_on(detector: Detector) -> None:
    camera = LedCamera()
    with running(Pipeline([settings(camera)], detector, "m")) as pipeline:

        def labels() -> list[str]:
            give_one_by_one(pipeline, camera, 2)
            return newest(pipeline).detections.labels

        assert labels() == ["red"]
        pipeline.set_classes(["green"])
        assert labels() == []
        pipeline.set_classes(None)
        assert labels() == ["red"]
        with pytest.raises(InputError, match="the model has no class 'cat'; it has red, green, blue"):
            pipeline.set_classes(["cat"])
        with pytest.raises(InputError, match=r"score must be in 0\.\.1, but got 2"):
            pipeline.set_score(2)
        assert labels() == ["red"]


def test_without_tracks_the_score_is_all_that_counts(detector: Detector) -> None:
    camera = LedCamera()
    part = CameraSettings("door", lambda: camera, tracker=None)
    with running(Pipeline([part], detector, "m", score=0.95)) as pipeline:
        give_one_by_one(pipeline, camera, 1)
        assert len(newest(pipeline).detections) == 0
        pipeline.set_score(0.5)
        give_one_by_one(pipeline, camera, 1)
        assert newest(pipeline).detections.labels == ["red"]
        assert newest(pipeline).detections.track_ids is None
        with pytest.raises(InputError, match="need tracks"):
            pipeline.set_places("door", Places(zones=(RIGHT_HALF,)))


def test_places_are_saved_before_they_count(detector: Detector) -> None:
    camera = LedCamera()
    saved: list[tuple[str, Places]] = []

    def save(name: str, places: Places) -> None:
        if places.lines:
            raise InputError("camera.yaml: cannot be written: Read-only file system")
        saved.append((name, places))

    zones = Places(zones=(RIGHT_HALF,))
    with running(Pipeline([settings(camera)], detector, "m", save_places=save)) as pipeline:
        pipeline.set_places("door", zones)
        assert saved == [("door", zones)]
        with pytest.raises(InputError, match="Read-only"):
            pipeline.set_places("door", Places(lines=(MIDDLE,)))
        with pytest.raises(InputError, match="right stands twice"):
            pipeline.set_places("door", Places(zones=(RIGHT_HALF, RIGHT_HALF)))
        assert pipeline.places("door") == zones
        with pytest.raises(KeyError):
            pipeline.places("garden")


def test_a_new_model_takes_over(detector: Detector, tmp_path: Path) -> None:
    camera = LedCamera()
    path = tmp_path / "others.onnx"
    onnx.save(build_model(Contract(("rot", "gruen", "blau"), (32, 32)), scores=(0.9,)), path)
    with running(Pipeline([settings(camera)], detector, "old.onnx", classes=None)) as pipeline:
        give_one_by_one(pipeline, camera, 1)
        pipeline.set_detector(Detector(path, threads=1), "others.onnx")
        give_one_by_one(pipeline, camera, 1)
        assert newest(pipeline).detections.labels == ["rot"]
        assert pipeline.status()["model"] == {
            "name": "others.onnx",
            "input_size": [32, 32],
            "names": ["rot", "gruen", "blau"],
        }


def test_who_waits_for_a_newer_result_gets_it(detector: Detector) -> None:
    camera = LedCamera()
    with running(Pipeline([settings(camera)], detector, "m")) as pipeline:
        assert pipeline.wait_for_newer("door", None, 0.01) is None
        camera.give()
        first = pipeline.wait_for_newer("door", None, 20)
        assert first is not None
        assert pipeline.wait_for_newer("door", first, 0.01) is None
        camera.give()
        second = pipeline.wait_for_newer("door", first, 20)
        assert second is not None
        assert second.frame.index == 1
    assert pipeline.wait_for_newer("door", second, 60) is None  # at once, after the end


def test_a_source_that_cannot_be_opened_leaves_nothing_open(detector: Detector) -> None:
    first = LedCamera()

    def fail() -> LedCamera:
        raise InputError("camera 7: no such camera")

    before = threading.active_count()
    with pytest.raises(InputError, match="no such camera"):
        Pipeline([settings(first), CameraSettings("other", fail)], detector, "m")
    assert first.closed.is_set()
    assert threading.active_count() == before
