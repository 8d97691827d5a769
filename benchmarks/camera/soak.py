"""Lets ``fusedet run`` watch five sources for hours, while cameras, broker and clock do what they do in months.

    python -m benchmarks.camera.soak --minutes 120
    python -m benchmarks.camera.soak --minutes 2 --watchdog 0.5     # a rehearsal

The sources: an RTSP camera that is killed or frozen, every other time for longer than ten times the watchdog; a stream
of JPEGs with broken, empty and wrongly measured parts; an address that gives one image for each request, or none; a
looped video with a pause that is longer than the watchdog; and a looped video of a block that passes a zone and a line
again and again, at a variable rate: what there is to count is known. Meanwhile the broker is away for 30 s every few
minutes, and the wall clock leaps back and forth. Prints the figures as JSON; the exit code is 1 where there is a
problem: a frame that failed, a return without results, a passage that was missed or counted twice, an event that did
not reach a subscriber, a log of more than a few lines a minute, memory that grew by more than 2 %.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import onnx
import yaml

from benchmarks.camera.bad_cameras import bad_cameras, draw_block, write_variable_rate
from benchmarks.command import facts, run_command, write_json
from fusedet.common.errors import InputError
from fusedet.deploy import Contract
from tests.counterparts import Counterpart, rtsp_server
from tests.deploy.camera.sinks.servers import Broker, Listener
from tests.deploy.conftest import build_model

_TIMEOUT_S = 3.0
#: A camera that is back must give results within so many seconds, also on a busy machine.
_BACK_WITHIN_S = 20.0
#: Lines of the log for each return and each minute; more would fill a disk in months.
_LINES_A_RETURN, _LINES_A_MINUTE = 2, 8
_LEAPS_S = (-7200.0, 0.0, 86400.0, -30.0, 3600.0)
_BROKER_AWAY_S = 30.0
#: Seconds in which the block passes once, and then is away for longer than a track is kept.
_PASS_S, _PAUSE_S = 4.0, 5.0
#: Memory is compared only where the first tenth is longer than the start of a run.
_SHORTEST_FOR_MEMORY_S = 1200.0


class _Watch:
    """The process that is tested."""

    def __init__(self, folder: Path, config: dict[str, Any], clock: Path) -> None:
        """Starts ``fusedet run`` in ``folder``; the file ``clock`` sets its wall clock."""
        (folder / "camera.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            program = [sys.executable, "-m", "benchmarks.camera.stepped_clock", str(clock)]
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
            command = [*program, "run", "camera.yaml"]
            self.process = subprocess.Popen(command, cwd=folder, stderr=log, stdout=log, env=environment)
        while "page: " not in self.log.read_text():
            if self.process.poll() is not None:
                raise InputError(f"fusedet run ended: {self.log.read_text()}")
            sleep(0.1)
        self._url = self.log.read_text().partition("page: ")[2].split()[0].rstrip("/")

    def status(self) -> dict[str, Any]:
        """As the page sees it."""
        with urllib.request.urlopen(f"{self._url}/api/status", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def resident_mb(self) -> float:
        """Memory, in MB of 10^6 bytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) * 1024 / 1e6


def _write_videos(folder: Path, watchdog_s: float) -> None:
    steps_s = [0.04, 0.5, 0.1] * 10 + [2.5 * watchdog_s] + [0.04, 0.2] * 10
    images = [draw_block(number * 4, number) for number in range(len(steps_s))]
    write_variable_rate(folder / "pause.mp4", images, steps_s)
    chance, steps_s = random.Random(0), []
    while sum(steps_s) < _PASS_S:
        steps_s.append(chance.uniform(0.03, 0.15))
    lefts: list[int | None] = [round(-30 + 340 * sum(steps_s[:index]) / _PASS_S) for index in range(len(steps_s))]
    absent = [0.1] * round(_PAUSE_S / 0.1)
    images = [draw_block(left, number) for number, left in enumerate([*lefts, *[None] * len(absent)])]
    write_variable_rate(folder / "passes.mp4", images, [*steps_s, *absent])


def _config(camera_url: str, bad_url: str, broker_port: int, watchdog_s: float) -> dict[str, Any]:
    sources = {
        "away": {"source": camera_url},
        "parts": {"source": f"{bad_url}/parts"},
        "snapshot": {"source": f"{bad_url}/snapshot.jpg", "fps": 5},
        "pause": {"source": "pause.mp4", "loop": True},
        "passes": {"source": "passes.mp4", "loop": True},
    }
    zone = {"name": "middle", "points": [[0.3, 0], [0.7, 0], [0.7, 1], [0.3, 1]], "dwell_s": 0.5}
    line = {"name": "line", "start": [0.5, 1], "end": [0.5, 0]}
    cameras = {name: {**of, "timeout_s": _TIMEOUT_S, "zones": [zone], "lines": [line]} for name, of in sources.items()}
    return {
        "model": "model.onnx",
        "cameras": cameras,
        "outputs": {
            "detections": {"path": "found.jsonl", "max_mb": 5, "keep": 1},
            "events": {"path": "events.jsonl"},
            "pictures": {"folder": "images", "keep": 50},
            "mqtt": {"host": "127.0.0.1", "port": broker_port},
        },
        "serve": {"port": 0},
        "watchdog_s": watchdog_s,
    }


class _Passages:
    """What was told of the block that passes, in the order in which it came."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0
        self.ids: list[str] = []
        self._times_s: dict[str, list[float]] = {}

    def look(self) -> None:
        """Reads what is new in the file of events."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole = [line for line in file if line.endswith(b"\n")]
        self._read += sum(map(len, whole))
        for event in map(json.loads, whole):
            self.ids.append(event["id"])
            if event["camera"] == "passes":
                self._times_s.setdefault(event["kind"], []).append(monotonic())

    def counted(self) -> dict[str, dict[str, int]]:
        """How often each kind of event came, and how often one is missing or too much; by the time between two."""
        result = {}
        for kind in ("enter", "dwell", "cross", "leave"):
            times_s = self._times_s.get(kind, [])
            passed = [round((b - a) / (_PASS_S + _PAUSE_S)) for a, b in pairwise(times_s)]
            result[kind] = {
                "counted": len(times_s),
                "missed": sum(max(0, times - 1) for times in passed),
                "twice": sum(times == 0 for times in passed),
            }
        return result


class _Soak:
    """One run, and what happened in it."""

    def __init__(
        self, watch: _Watch, camera: Counterpart, broker: Broker, listener: Listener, folder: Path, *, seed: int
    ) -> None:
        self._watch, self._camera, self._broker, self._listener = watch, camera, broker, listener
        self._clock, self._passages = folder / "clock", _Passages(folder / "events.jsonl")
        self._chance = random.Random(seed)
        self._memory: list[float] = []
        self._happened = Counter[str]()
        self._away_s = 0.0

    def run(self, seconds: float, watchdog_s: float) -> dict[str, Any]:
        start_s = monotonic()
        self._stay(min(10.0, seconds / 4))
        with self._trouble_with_the_broker():
            while monotonic() - start_s < seconds:
                self._outage(10 * watchdog_s + 3 if self._happened["returns"] % 2 == 0 else 0)
                self._stay(self._chance.uniform(3, 10))
                if sys.stderr.isatty():
                    print(f"\r{monotonic() - start_s:.0f} s, {dict(self._happened)}", end="", file=sys.stderr)
        _wait_for(lambda: self._watch.status()["sinks"]["mqtt"]["waiting"] == 0, 60)
        status = self._watch.status()
        self._watch.process.send_signal(signal.SIGTERM)
        code = self._watch.process.wait(60)
        self._passages.look()
        written = self._passages.ids
        _wait_for(lambda: set(written) <= set(self._received()), 30)
        received = self._received()
        return {
            "uptime_s": round(monotonic() - start_s),
            "exit_code": code,
            **self._happened,
            "away_s": round(self._away_s),
            **self._figures(status),
            "passages": self._passages.counted(),
            "events": len(written),
            "events_lost": len(set(written) - set(received)),
            "events_twice": len(received) - len(set(received)),
        }

    def _figures(self, status: dict[str, Any]) -> dict[str, Any]:
        lines = self._watch.log.read_text().splitlines()
        part = max(1, len(self._memory) // 10)
        cameras = status["cameras"]
        keys = ("captured", "processed", "dropped", "failed", "unreadable", "reconnects")
        return {
            "failed": sum(camera["failed"] for camera in cameras.values()),
            "cameras": {name: {key: camera[key] for key in keys} for name, camera in cameras.items()},
            "memory_mb_first_tenth": round(sum(self._memory[:part]) / part, 1),
            "memory_mb_last_tenth": round(sum(self._memory[-part:]) / part, 1),
            "memory_mb_most": round(max(self._memory), 1),
            "log_lines": len(lines),
            "tracebacks": sum("Traceback" in line for line in lines),
        }

    @contextmanager
    def _trouble_with_the_broker(self) -> Iterator[None]:
        """Meanwhile it is away now and then."""
        done, chance = threading.Event(), random.Random(self._chance.random())

        def trouble() -> None:
            while not done.wait(chance.uniform(120, 300)):
                self._broker.stop()
                self._happened["broker_away"] += 1
                done.wait(_BROKER_AWAY_S)
                self._broker.start()

        thread = threading.Thread(target=trouble)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _stay(self, seconds: float) -> None:
        """All sources are there."""
        end_s = monotonic() + seconds
        while monotonic() < end_s:
            sleep(0.5)
            self._memory.append(self._watch.resident_mb())
            self._passages.look()

    def _outage(self, at_least_s: float) -> None:
        """The camera is away for a while, and the clock is set meanwhile."""
        away_s = at_least_s + self._chance.uniform(1, 4)
        leave, come = self._chance.choice(
            [(self._camera.kill, self._camera.start), (self._camera.freeze, self._camera.thaw)]
        )
        leave()
        self._clock.write_text(str(_LEAPS_S[self._happened["clock_steps"] % len(_LEAPS_S)]))
        self._happened["clock_steps"] += 1
        self._stay(away_s)
        before = self._processed()
        come()
        self._away_s += away_s
        came_back = _wait_for(lambda: self._has_processed(before + 3), _BACK_WITHIN_S)
        states = [camera["state"] for camera in self._watch.status()["cameras"].values()]
        self._happened.update(
            returns=1,
            returns_after_ten_watchdogs=int(at_least_s > 0),
            returns_without_results=int(not came_back),
            unhealthy_after_return=int(any(state != "running" for state in states)),
        )

    def _has_processed(self, frames: int) -> bool:
        """Whether the camera that was away has so many results; the time of what passes elsewhere is kept meanwhile."""
        self._passages.look()
        return self._processed() >= frames

    def _processed(self) -> int:
        return int(self._watch.status()["cameras"]["away"]["processed"])

    def _received(self) -> list[str]:
        messages = list(self._listener.messages)
        return [json.loads(text)["id"] for topic, text in messages if re.fullmatch(r"fusedet/[^/]+/events", topic)]


def soak(seconds: float, watchdog_s: float = 5.0, seed: int = 0) -> dict[str, Any]:
    """Watches for so long, and returns what came of it.

    Args:
        seconds: at least so long; an outage that has begun is waited for.
        watchdog_s: of the run; every other outage lasts for more than ten times as long.
        seed: of the lengths of outages.
    """
    options = ("--width", "320", "--height", "240", "--pattern", "ball")
    with (
        tempfile.TemporaryDirectory() as name,
        rtsp_server(*options) as camera,
        bad_cameras() as bad_url,
        Broker(Path(name)) as broker,
        Listener(broker.port) as listener,
    ):
        folder = Path(name)
        onnx.save(build_model(Contract(("a", "b", "c"), (240, 320)), scores=(0.9,)), folder / "model.onnx")
        _write_videos(folder, watchdog_s)
        (folder / "clock").write_text("0")
        watch = _Watch(folder, _config(camera.url(), bad_url, broker.port, watchdog_s), folder / "clock")
        try:
            return _Soak(watch, camera, broker, listener, folder, seed=seed).run(seconds, watchdog_s)
        finally:
            if watch.process.poll() is None:
                watch.process.kill()
            watch.process.wait()


def _wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in this time."""
    end_s = monotonic() + seconds
    while not condition():
        if monotonic() > end_s:
            return False
        sleep(0.2)
    return True


def _problems(found: dict[str, Any]) -> list[str]:
    """What should be nothing, and is not."""
    keys = ("exit_code", "failed", "returns_without_results", "unhealthy_after_return", "tracebacks", "events_lost")
    problems = [f"{key}: {found[key]}" for key in (*keys, "events_twice") if found[key]]
    cameras = found["cameras"]
    problems += [f"{name} gave nothing" for name, one in cameras.items() if not one["processed"]]
    problems += [f"{name} was opened anew" for name in ("parts", "pause", "passes") if cameras[name]["reconnects"]]
    for kind, one in found["passages"].items():
        problems += [f"{kind}: {key} {one[key]}" for key in ("missed", "twice") if one[key]]
    allowed = 30 + _LINES_A_RETURN * found["returns"] + _LINES_A_MINUTE * found["uptime_s"] / 60
    problems += [f"log_lines: {found['log_lines']}"] if found["log_lines"] > allowed else []
    first, last = found["memory_mb_first_tenth"], found["memory_mb_last_tenth"]
    grew = found["uptime_s"] > _SHORTEST_FOR_MEMORY_S and last > 1.02 * first
    return problems + ([f"memory: {first} MB -> {last} MB"] if grew else [])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--watchdog", type=float, default=5.0, metavar="S", help="watchdog_s of the run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args(arguments)
    results = {**soak(60 * args.minutes, args.watchdog, args.seed), "facts": facts()}
    results["problems"] = _problems(results)
    print(json.dumps(results, indent=2))
    if args.json is not None:
        write_json(args.json, results)
    return 1 if results["problems"] else 0


if __name__ == "__main__":
    sys.exit(run_command("soak", main))
