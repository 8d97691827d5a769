"""What ``fusedet run`` costs beside the model, how old its results are, and what waiting for a camera costs.

    python -m benchmarks.camera.runtime cost            # frames/s of the whole pipeline against the bare session
    python -m benchmarks.camera.runtime age             # a camera of 30 frames/s and a detector of 10
    python -m benchmarks.camera.runtime idle            # CPU share at a camera's pace, spinning and not

``cost`` reads a video of 640x480 as fast as it can be taken; bare session, pipeline, and pipeline with the page open
and one viewer take turns, so that a busy machine disturbs all of them alike. Each prints a table, and with ``--json``
writes the figures.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, perf_counter, process_time, sleep
from typing import Any

import cv2
import numpy as np

from benchmarks.command import facts, run_command, write_json
from fusedet.common.errors import InputError
from fusedet.configs.starter import starter_model
from fusedet.deploy.camera.pipeline.camera import CameraSettings
from fusedet.deploy.camera.pipeline.pipeline import Pipeline
from fusedet.deploy.camera.pipeline.sink_worker import SinkWorker
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks import RotatingJsonLines, Sink
from fusedet.deploy.camera.sources import SourceSettings, open_source
from fusedet.deploy.camera.web.server import WebServer
from fusedet.deploy.detector.detector import Detector, PreparedImage, RawOutputs
from fusedet.deploy.detector.session import default_threads, open_session, read_contract

_SIZE_HW = (480, 640)
_PERCENTS = (50, 95, 99)


def draw_street(path: Path, frames: int = 300, fps: float = 30.0) -> None:
    """A video of 640x480 with noise, edges and things that move, so that decoding costs what it does."""
    generator = np.random.default_rng(0)
    height, width = _SIZE_HW
    ground = cv2.GaussianBlur(generator.integers(0, 255, (height, width, 3), np.uint8), (0, 0), 3)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    for index in range(frames):
        image = ground.copy()
        for number in range(6):
            left = int((index * (2 + number) + 97 * number) % (width + 80)) - 80
            color = tuple(int(value) for value in generator.integers(0, 255, 3))
            cv2.rectangle(image, (left, 60 * number + 40), (left + 70, 60 * number + 130), color, -1)
        writer.write(image)
    writer.release()


@dataclass
class AgeOverTime(Sink):
    """Keeps how old results are in milliseconds, minute by minute."""

    minutes: list[list[float]] = field(default_factory=list)
    _start_s: float = field(default_factory=monotonic)

    def write(self, result: Result) -> None:
        """One more result."""
        minute = int((result.done_s - self._start_s) // 60)
        while len(self.minutes) <= minute:
            self.minutes.append([])
        self.minutes[minute].append(1000 * result.age_s)


class SlowDetector(Detector):
    """A detector that takes so long for an image."""

    slowed_to_s = 0.1

    def infer(self, prepared: PreparedImage) -> RawOutputs:
        """Asks the network, and waits until the time is over."""
        start = perf_counter()
        raw = super().infer(prepared)
        sleep(max(0.0, self.slowed_to_s - (perf_counter() - start)))
        return raw


def measure_age(model: Path, seconds: float, detector_fps: float = 10.0) -> dict[str, Any]:
    """A source of 30 frames/s and a slower detector: ages by the minute, and counts."""
    detector = SlowDetector(model, threads=1)
    detector.slowed_to_s = 1 / detector_fps
    ages = AgeOverTime()
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "street.mp4"
        draw_street(video)
        settings = SourceSettings(pace=True, loop=True)
        camera = CameraSettings("camera", lambda: open_source(str(video), settings))
        with Pipeline([camera], detector, model.name, [SinkWorker("ages", lambda: ages)]) as pipeline:
            pipeline.wait(seconds)
        counts = pipeline.status()["cameras"]["camera"]
    everything = [age for minute in ages.minutes for age in minute]
    return {
        "seconds": seconds,
        "limit_ms": 2 * 1000 / 30 + 1000 / detector_fps,
        "age_ms": _percentiles(everything),
        "age_p95_ms_by_minute": [round(_percentiles(minute)["p95"], 1) for minute in ages.minutes if minute],
        **{key: counts[key] for key in ("captured", "processed", "dropped", "failed")},
        "unaccounted": counts["captured"] - counts["processed"] - counts["dropped"] - counts["failed"],
    }


def measure_cost(model: Path, threads: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Frames/s of the bare session, the pipeline, and the pipeline with one viewer, taking turns."""
    rates: dict[str, list[float]] = {"bare": [], "pipeline": [], "with a viewer": []}
    images: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "street.mp4"
        draw_street(video)
        for number in range(rounds):
            rates["bare"].append(_bare_rate(model, threads, seconds))
            rates["pipeline"].append(_pipeline_rate(model, threads, seconds, video, Path(folder) / f"{number}a")[0])
            rate, seen = _pipeline_rate(model, threads, seconds, video, Path(folder) / f"{number}b", viewer=True)
            rates["with a viewer"].append(rate)
            images.append(seen)
    ratios = {
        name: statistics.median(part / bare for part, bare in zip(values, rates["bare"], strict=True))
        for name, values in rates.items()
    }
    return {
        "threads": threads,
        "rounds": rounds,
        "seconds": seconds,
        "frames_per_s": {name: round(statistics.median(values), 1) for name, values in rates.items()},
        "of_bare": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "images_per_s_of_the_viewer": round(statistics.median(images), 1),
    }


def measure_idle(model: Path, seconds: float, fps: float) -> dict[str, Any]:
    """CPU share of a camera's pace, with ONNX Runtime's threads spinning and not."""
    shares: dict[str, list[float]] = {"spinning": [], "not spinning": []}
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "street.mp4"
        draw_street(video, fps=fps)
        settings = SourceSettings(pace=True, loop=True)
        for _ in range(3):
            for name, values in shares.items():
                # Two threads at least: a session of one has nobody who could spin.
                detector = Detector(model, threads=max(2, default_threads()), allow_spinning=name == "spinning")
                camera = CameraSettings("camera", lambda: open_source(str(video), settings))
                with Pipeline([camera], detector, model.name) as pipeline:
                    cpu, wall = process_time(), monotonic()
                    pipeline.wait(seconds)
                    values.append((process_time() - cpu) / (monotonic() - wall))
    return {"fps": fps, **{name: round(statistics.median(values), 3) for name, values in shares.items()}}


def _bare_rate(model: Path, threads: int, seconds: float) -> float:
    session = open_session(model, threads)
    size = read_contract(session, str(model)).input_size
    image = np.random.default_rng(0).integers(0, 255, (1, *size, 3), np.uint8)
    inputs = {session.get_inputs()[0].name: image}
    session.run(None, inputs)
    start, count = perf_counter(), 0
    while perf_counter() - start < seconds:
        session.run(None, inputs)
        count += 1
    return count / (perf_counter() - start)


def _pipeline_rate(
    model: Path, threads: int, seconds: float, video: Path, out: Path, *, viewer: bool = False
) -> tuple[float, float]:
    """Frames/s of the pipeline, and images/s that the viewer got."""
    detector = Detector(model, threads=threads)
    camera = CameraSettings("camera", lambda: open_source(str(video), SourceSettings(loop=True)))
    lines = SinkWorker("lines", lambda: RotatingJsonLines(out, 1000, 1, only="detections"))
    with Pipeline([camera], detector, model.name, [lines]) as pipeline, _watched(pipeline, viewer) as seen:
        pipeline.wait(1.0)
        before, start, images = _processed(pipeline), monotonic(), seen()
        pipeline.wait(seconds)
        elapsed = monotonic() - start
        return (_processed(pipeline) - before) / elapsed, (seen() - images) / elapsed


def _processed(pipeline: Pipeline) -> int:
    return int(pipeline.status()["cameras"]["camera"]["processed"])


@contextlib.contextmanager
def _watched(pipeline: Pipeline, viewer: bool) -> Iterator[Any]:
    """With the page open, and a process of its own that looks at it as a browser does."""
    if not viewer:
        yield lambda: 0
        return
    server = WebServer(pipeline, port=0)
    server.start()
    command = [sys.executable, "-m", "benchmarks.camera.runtime", "view", server.url]
    count = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None

        def follow() -> None:
            nonlocal count
            for _ in process.stdout or ():
                count += 1

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield lambda: count
        finally:
            process.terminate()
            thread.join(10)
            server.close()


async def _view(url: str) -> None:
    """Asks for the next image when it has the last one, as the page does, and prints a line for each."""
    import aiohttp

    async with aiohttp.ClientSession() as client, client.ws_connect(f"{url}/api/cameras/camera/live") as socket:
        while True:
            await socket.send_str("640")
            async for message in socket:
                if message.type == aiohttp.WSMsgType.BINARY:
                    print(len(message.data), flush=True)
                    break
            if socket.closed:
                return


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    found = np.percentile(values, _PERCENTS)
    return {f"p{percent}": round(float(value), 1) for percent, value in zip(_PERCENTS, found, strict=True)}


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cost", "age", "idle", "view"])
    parser.add_argument("url", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help="exported file (default: nano's starter weights)")
    parser.add_argument("--seconds", type=float, help="of a measurement (cost: 5, age: 600, idle: 10)")
    parser.add_argument("--rounds", type=int, default=5, help="of cost (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=default_threads(), help="of cost (default: %(default)s)")
    parser.add_argument("--fps", type=float, default=15.0, help="of idle (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args(arguments)
    if args.seconds is not None and args.seconds <= 0:
        raise InputError(f"--seconds must be above 0, but got {args.seconds}")
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse_arguments(arguments)
    if args.what == "view":
        with contextlib.suppress(Exception):
            asyncio.run(_view(args.url.rstrip("/")))
        return 0
    model = args.model or starter_model("nano")
    if args.what == "age":
        figures = measure_age(model, args.seconds or 600)
    elif args.what == "cost":
        figures = measure_cost(model, args.threads, args.rounds, args.seconds or 5)
    else:
        figures = measure_idle(model, args.seconds or 10, args.fps)
    results = {"what": args.what, "model": model.name, **figures, "facts": facts()}
    print(json.dumps(results, indent=2))
    if args.json is not None:
        write_json(args.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("camera_runtime", main))
