"""Cameras, one detector, sinks: started, watched over, and ended in order.

capture (a thread each) -> LatestFrameBuffer -> detection (one thread) -> SinkWorker (a thread each) -> sinks
                                                           -> latest result, for the page
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Queue
from time import monotonic
from typing import Any

import numpy as np

from fusedet.common.arguments import check_fraction
from fusedet.common.errors import InputError
from fusedet.common.machine import resident_bytes
from fusedet.common.text import in_one_line
from fusedet.common.throttled_log import ThrottledLog
from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.pipeline.camera import Camera, CameraSettings
from fusedet.deploy.camera.pipeline.latest_frame_buffer import LatestFrameBuffer
from fusedet.deploy.camera.pipeline.recent_events import RecentEvents
from fusedet.deploy.camera.pipeline.sink_worker import SinkWorker
from fusedet.deploy.camera.pipeline.statistics import CpuShare
from fusedet.deploy.camera.pipeline.worker import Worker
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sources import Frame
from fusedet.deploy.detector.detector import Detector, RawOutputs

#: What a sink gets to write what waits when the pipeline ends.
_FINISH_S = 10.0
_POLL_S = 0.2


class Pipeline:
    """Runs until every source has ended, or :meth:`stop`.

    with Pipeline(cameras, detector, "model.onnx", sinks) as pipeline:
        pipeline.wait()
    """

    def __init__(
        self,
        cameras: Sequence[CameraSettings],
        detector: Detector,
        model: str,
        sinks: Sequence[SinkWorker] = (),
        *,
        score: float = 0.25,
        classes: Sequence[str] | None = None,
        watchdog_s: float = 30.0,
        save_places: Callable[[str, Places], None] = lambda camera, places: None,
    ) -> None:
        """Opens the sources.

        Args:
            cameras: with names that differ.
            detector: its ``score_threshold`` is set to what the tracks need, its ``classes`` to ``classes``.
            model: what status calls the detector.
            sinks: the sinks, which the pipeline closes.
            score: lowest score that counts, 0..1.
            classes: only these are reported; None: all.
            watchdog_s: a part that does nothing for longer is started anew.
            save_places: keeps the zones and lines that were changed while it runs.

        Raises:
            InputError: a source cannot be opened, or the model has no such class.
        """
        self.was_stopped = False
        self._started_s = monotonic()
        self._detector, self._model = detector, model
        self._sinks = list(sinks)
        self._watchdog_s = watchdog_s
        self._save_places = save_places
        self._buffer = LatestFrameBuffer([camera.name for camera in cameras])
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._stopping = threading.Event()
        self._recent = RecentEvents()
        self._seen: Queue[_Seen | None] = Queue(1)
        self._cpu = CpuShare()
        self._trouble = ThrottledLog(logging.getLogger(__name__))
        check_fraction("score", score)
        self._score = float(score)
        detector.classes = classes
        self._cameras: dict[str, Camera] = {}
        try:
            for settings in cameras:
                self._cameras[settings.name] = Camera(settings, self._buffer, score)
        except BaseException:
            for camera in self._cameras.values():
                camera.capture.stop()
            raise
        self._detection = Worker("detection", self._detect)
        self._reading = Worker("reading", self._read)
        self._watchdog = Worker("watchdog", self._watch)

    def __enter__(self) -> "Pipeline":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def start(self) -> None:
        """Begins to watch."""
        size = self._detector.input_size
        self._detector(np.zeros((*size, 3), np.uint8))  # the first run takes longer: it lays out the memory
        for sink in self._sinks:
            sink.start()
        self._detection.start()
        self._reading.start()
        for camera in self._cameras.values():
            camera.capture.start()
        self._watchdog.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the end of all sources or for :meth:`stop`; whether it has come."""
        return self._ended.wait(timeout_s)

    def stop(self) -> None:
        """Asks the pipeline to end; may be called from a signal handler."""
        self.was_stopped = True
        self._stopping.set()

    def close(self) -> None:
        """Ends reading, looks at the frames that still wait, writes what was found, and closes every sink."""
        self._stopping.set()
        for camera in self._cameras.values():
            camera.capture.stop()
        self._buffer.close()
        self._detection.join(_FINISH_S)
        self._reading.join(_FINISH_S)
        self._watchdog.stop()
        self._watchdog.join(_FINISH_S)
        for camera in self._cameras.values():
            camera.capture.worker.join(_FINISH_S)
        for sink in self._sinks:
            sink.finish(_FINISH_S)
        self._ended.set()
        with self._changed:
            self._changed.notify_all()

    @property
    def stuck_s(self) -> float:
        """Seconds for which detection has hung. Nothing inside of the process can help then, but a new process."""
        return max(self._detection.stuck_s(), self._reading.stuck_s())

    # What the web page and the metrics see and change, from any thread.

    def status(self) -> dict[str, Any]:
        """Plain values for JSON.

        ``uptime_s``, ``memory_mb`` (resident), ``cpu_share`` (of one core, since the last call);
        ``model``: ``name``, ``input_size`` ``[height, width]``, ``names``; ``score``; ``classes`` (list or null);
        ``cameras``: name -> ``state`` (``running``, ``waiting``: opens its source again, ``ended``), ``error`` (text or
        null; of a running camera why every frame fails), ``captured``, ``processed``, ``dropped``, ``failed``,
        ``unreadable`` (left out by the source, not captured) and ``reconnects`` (counts), ``fps`` (processed, lately),
        ``inference_ms`` and ``age_ms`` (each ``p50``, ``p95``, ``p99`` of the last frames, null before the
        first), ``visible`` (class -> objects in the last frame), ``places`` (see ``Rules.counts``);
        ``sinks``: name -> ``written``, ``dropped``, ``waiting`` (counts) and ``error`` (text or null).
        """
        return {
            "uptime_s": round(monotonic() - self._started_s, 1),
            "memory_mb": round((resident_bytes() or 0) / 1e6, 1),
            "cpu_share": self._cpu(),
            "model": {
                "name": self._model,
                "input_size": list(self._detector.input_size),
                "names": list(self._detector.names),
            },
            "score": self._score,
            "classes": None if self._detector.classes is None else list(self._detector.classes),
            "cameras": {name: camera.report() for name, camera in self._cameras.items()},
            "sinks": {sink.name: sink.report() for sink in self._sinks},
        }

    def healthy(self) -> tuple[bool, str]:
        """Whether cameras deliver, frames get results and sinks take them, and in one line what does not."""
        problems = [
            f"camera {name}: {camera.error or camera.capture.state}"
            for name, camera in self._cameras.items()
            if not camera.healthy
        ]
        problems += [f"{sink.name}: {error}" for sink in self._sinks if (error := sink.report()["error"]) is not None]
        if self.stuck_s > self._watchdog_s:
            problems.append(f"detection hangs for {self.stuck_s:.0f} s")
        return not problems, "; ".join(problems) or "ok"

    def latest(self, camera: str) -> Result | None:
        """The newest result of a camera; None before the first."""
        return self._cameras[camera].latest

    def wait_for_newer(self, camera: str, than: Result | None, timeout_s: float) -> Result | None:
        """Waits for a result after ``than``; None when there was none in time, or the pipeline has ended."""
        place = self._cameras[camera]
        with self._changed:
            self._changed.wait_for(lambda: place.latest is not than or self._ended.is_set(), timeout_s)
            return None if place.latest is than else place.latest

    def recent_events(self) -> list[tuple[Event, bytes]]:
        """The last events, newest first, each with a small JPEG image of its moment with the box drawn."""
        return self._recent.newest_first()

    def set_score(self, score: float) -> None:
        """Lowest score that counts, 0..1, from the next frame on; another one is an ``InputError``."""
        check_fraction("score", score)
        self._score = float(score)

    def set_classes(self, classes: list[str] | None) -> None:
        """Only these classes are reported, from the next frame on; None: all.

        Raises:
            InputError: the model has no such class.
        """
        self._detector.classes = classes

    def places(self, camera: str) -> Places:
        """Zones and lines of a camera."""
        return self._cameras[camera].rules.places

    def set_places(self, camera: str, places: Places, *, save: bool = True) -> None:
        """Replaces zones and lines, from the next frame on, and saves them to the YAML where there is one, if ``save``.

        Raises:
            InputError: names that stand twice, or the YAML cannot be written.
        """
        place = self._cameras[camera]
        if (places.zones or places.lines) and not place.tracks:
            raise InputError(f"camera {camera}: zones and lines need tracks, but track is null")
        if save:
            self._save_places(camera, places)
        place.rules.set_places(places)
        for worker in self._sinks:
            worker.sink.set_places(camera, places)

    def set_detector(self, detector: Detector, model: str) -> None:
        """Another model from the next frame on; one that lacks a class that was asked for is an ``InputError``."""
        detector.classes = self._detector.classes
        detector(np.zeros((*detector.input_size, 3), np.uint8))
        self._detector, self._model = detector, model

    # The threads.

    def _detect(self, worker: Worker) -> None:
        last: _Seen | None = None
        while True:
            worker.idle()
            taken = self._buffer.take(_POLL_S if last is None else 0)
            if taken is None:
                if last is not None:
                    self._seen.put(last)
                    last = None
                elif self._buffer.closed:
                    self._seen.put(None)
                    return
                continue
            worker.busy()
            last = self._see(*taken, last)

    def _see(self, name: str, frame: Frame, last: "_Seen | None") -> "_Seen | None":
        """What the network says of a frame; ``last``, that of the frame before, is handed over just before.

        Two threads cannot run Python at once: handed over earlier, the last frame would be read while this one is
        prepared, and each would wait for the other. The network leaves Python to the thread that reads.
        """
        camera, detector = self._cameras[name], self._detector
        prepared = None
        try:
            prepared = detector.prepare(frame.image)
        except Exception as error:  # a frame that cannot be looked at must not end the watch
            self._failed(camera, frame, error)
        if last is not None:
            self._seen.put(last)
        if prepared is None:
            return None
        try:
            return _Seen(camera, frame, detector, detector.infer(prepared))
        except Exception as error:
            self._failed(camera, frame, error)
            return None

    def _read(self, worker: Worker) -> None:
        while True:
            worker.idle()
            seen = self._seen.get()
            if seen is None:
                return
            worker.busy()
            try:
                result = self._interpret(seen)
                worker.idle()  # a file's result waits for slow sinks
                self._deliver(seen.camera, result)
            except Exception as error:
                self._failed(seen.camera, seen.frame, error)

    def _interpret(self, seen: "_Seen") -> Result:
        camera, frame, detector, score = seen.camera, seen.frame, seen.detector, self._score
        detector.score_threshold = camera.lowest_score(score)
        detections, events = camera.interpret(frame, detector.read(seen.raw), score)
        return Result(
            camera.name,
            frame,
            detections,
            events,
            detector.timings,
            monotonic(),
            camera.rules.counts(),
            camera.rules.places,
        )

    def _failed(self, camera: Camera, frame: Frame, error: Exception) -> None:
        why = in_one_line(error)
        camera.statistics.failed(why)
        self._trouble.warning(camera.name, f"camera {camera.name}: frame {frame.index} failed: {why}")

    def _deliver(self, camera: Camera, result: Result) -> None:
        """Hands a result to everybody; who cannot take it does not keep it from the others."""
        wait, failures = not camera.capture.source.drops, []
        takers: list[Callable[[Result], object]] = [
            self._recent.add,
            self._show,
            *(partial(sink.put, wait=wait) for sink in self._sinks),
        ]
        for take in takers:
            try:
                take(result)
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]
        camera.statistics.processed(result.timings.inference, result.age_s, result.detections.labels)

    def _show(self, result: Result) -> None:
        with self._changed:
            self._cameras[result.camera].latest = result
            self._changed.notify_all()

    def _watch(self, worker: Worker) -> None:
        while not worker.stopping.wait(_POLL_S):
            for camera in self._cameras.values():
                if camera.capture.hangs(self._watchdog_s):
                    camera.capture.restart()
            for sink in self._sinks:
                if sink.worker.stuck_s() > self._watchdog_s:
                    sink.restart()
            if self._stopping.is_set() or all(camera.capture.ended for camera in self._cameras.values()):
                self._ended.set()


@dataclass(frozen=True)
class _Seen:
    """A frame that the network has looked at, and the detector that can read what it said."""

    camera: Camera
    frame: Frame
    detector: Detector
    raw: RawOutputs
