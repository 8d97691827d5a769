"""Lets ``fusedet run`` watch an RTSP camera while the camera and the broker are killed, frozen and started again.

    python -m benchmarks.camera.soak --minutes 60

The camera is GStreamer's RTSP server with a moving ball, the broker a mosquitto, both as the tests start them. A drawn
detector finds the ball, which crosses a line and passes a zone again and again. Every half minute or so something
happens to the camera, every few minutes the broker is away for 30 s. In the end every event of the file of events must
have reached a subscriber. Prints the figures as JSON.
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
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import onnx
import yaml

from benchmarks.command import facts, run_command, write_text
from fusedet.common.errors import InputError
from fusedet.deploy import Contract
from tests.counterparts import Counterpart, rtsp_server
from tests.deploy.camera.sinks.servers import Broker, Listener
from tests.deploy.conftest import build_model

__all__ = ["Watch", "main", "soak"]

_SETTLED_S = 60.0


class Watch:
    """The process that is tested."""

    def __init__(self, folder: Path, config: dict[str, Any], program: Sequence[str] = ("fusedet.cli.main",)) -> None:
        """Starts ``fusedet run`` in ``folder``; ``program`` is the module that does, with its arguments before it."""
        (folder / "camera.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            command = [sys.executable, "-m", *program, "run", "camera.yaml"]
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
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


def _config(camera_url: str, broker_port: int) -> dict[str, Any]:
    camera = {
        "source": camera_url,
        "zones": [{"name": "left", "points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "dwell_s": 0.5}],
        "lines": [{"name": "middle", "start": [0.5, 1], "end": [0.5, 0]}],
    }
    return {
        "model": "model.onnx",
        "cameras": {"camera": camera},
        "outputs": {
            "events": {"path": "events.jsonl"},
            "pictures": {"folder": "pictures", "keep": 50},
            "mqtt": {"host": "127.0.0.1", "port": broker_port},
        },
        "serve": {"port": 0},
    }


def soak(seconds: float, seed: int = 0) -> dict[str, Any]:
    """Watches for so long, and returns what came of it."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx.save(build_model(Contract(("a", "b", "c"), (240, 320)), scores=(0.9,)), folder / "model.onnx")
        options = ("--width", "320", "--height", "240", "--pattern", "ball")
        with rtsp_server(*options) as camera, Broker(folder) as broker, Listener(broker.port) as listener:
            watch = Watch(folder, _config(camera.url(), broker.port))
            try:
                return _watch(watch, camera, broker, listener, folder, seconds, chance)
            finally:
                if watch.process.poll() is None:
                    watch.process.kill()
                watch.process.wait()


def _watch(
    watch: Watch,
    camera: Counterpart,
    broker: Broker,
    listener: Listener,
    folder: Path,
    seconds: float,
    chance: random.Random,
) -> dict[str, Any]:
    start, memory, happened = monotonic(), list[float](), {"killed": 0, "frozen": 0, "broker": 0}
    done = threading.Event()

    def trouble_with_broker() -> None:
        while not done.wait(chance.uniform(120, 300)):
            broker.stop()
            happened["broker"] += 1
            done.wait(30)
            broker.start()

    troublemaker = threading.Thread(target=trouble_with_broker)
    troublemaker.start()
    down_s = 0.0
    try:
        next_s = start + 20
        while monotonic() - start < seconds:
            sleep(1)
            if monotonic() - start > min(_SETTLED_S, seconds / 4):
                memory.append(watch.resident_mb())
            if monotonic() > next_s:
                down_s += _trouble_with_camera(camera, chance, happened)
                next_s = monotonic() + chance.uniform(15, 45)
            if sys.stderr.isatty():
                print(f"\r{monotonic() - start:.0f} s, {happened}", end="", file=sys.stderr)
        status = watch.status()
    finally:
        done.set()
        troublemaker.join()
    _wait_until_delivered(watch, 60)
    uptime_s = monotonic() - start
    watch.process.send_signal(signal.SIGTERM)
    code = watch.process.wait(60)
    written = [json.loads(line)["id"] for line in (folder / "events.jsonl").read_text().splitlines()]
    _wait_for(lambda: set(written) <= set(_received(listener)), 30)
    received = _received(listener)
    figures = status["cameras"]["camera"]
    part = max(1, len(memory) // 10)
    return {
        "uptime_s": round(uptime_s),
        "exit_code": code,
        **{key: happened[key] for key in happened},
        "camera_away_s": round(down_s),
        "reconnects": figures["reconnects"],
        **{key: figures[key] for key in ("captured", "processed", "dropped", "failed")},
        "memory_mb_first_tenth": round(sum(memory[:part]) / part, 1),
        "memory_mb_last_tenth": round(sum(memory[-part:]) / part, 1),
        "memory_mb_most": round(max(memory), 1),
        "events": len(written),
        "events_lost": len(set(written) - set(received)),
        "events_twice": len(received) - len(set(received)),
        "log_lines": len(watch.log.read_text().splitlines()),
        "tracebacks": watch.log.read_text().count("Traceback"),
    }


def _trouble_with_camera(camera: Counterpart, chance: random.Random, happened: dict[str, int]) -> float:
    """Kills or freezes the camera for a while; for how long."""
    away_s = chance.uniform(1, 12)
    if chance.random() < 0.6:
        happened["killed"] += 1
        camera.kill()
        sleep(away_s)
        camera.start()
    else:
        happened["frozen"] += 1
        camera.freeze()
        sleep(away_s)
        camera.thaw()
    return away_s


def _wait_until_delivered(watch: Watch, seconds: float) -> None:
    _wait_for(lambda: watch.status()["sinks"]["mqtt"]["waiting"] == 0, seconds)


def _wait_for(condition: Any, seconds: float) -> None:
    end = monotonic() + seconds
    while not condition() and monotonic() < end:
        sleep(0.2)


def _received(listener: Listener) -> list[str]:
    return [json.loads(text)["id"] for text in listener.of("fusedet/camera/events")]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args(arguments)
    results = {**soak(60 * args.minutes, args.seed), "facts": facts()}
    print(json.dumps(results, indent=2))
    if args.json is not None:
        write_text(args.json, json.dumps(results, indent=2) + "\n")
    return 0 if results["events_lost"] == 0 and results["exit_code"] == 0 else 1


if __name__ == "__main__":
    sys.exit(run_command("soak", main))
