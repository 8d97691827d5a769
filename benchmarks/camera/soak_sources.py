"""Lets ``fusedet run`` watch sources that stay away, come back and do not keep to the rules, while the clock is set.

    python -m benchmarks.camera.soak_sources --minutes 120
    python -m benchmarks.camera.soak_sources --minutes 2 --watchdog 0.5     # a rehearsal

Four sources: a camera that is killed or frozen, now and then for longer than ten times the watchdog; a stream of JPEGs
with broken, empty and wrongly measured parts; an address that gives one image for each request, or none; a looped video
of a variable rate with a pause that is longer than the watchdog. Meanwhile the wall clock leaps back and forth. After
each return the camera must give results again. Prints the figures as JSON; the exit code is 1 where a frame failed, a
return brought no results, a source that was well was not said to be, or the log had more than a few lines a minute.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import onnx

from benchmarks.camera.bad_camera import bad_cameras, write_variable_rate
from benchmarks.camera.soak import Watch
from benchmarks.command import facts, run_command, write_text
from fusedet.deploy import Contract
from tests.counterparts import Counterpart, mjpeg_server
from tests.deploy.conftest import build_model

__all__ = ["main", "soak_sources"]

_TIMEOUT_S = 3.0
#: A camera that is back must give results within so many seconds, also on a busy machine.
_BACK_WITHIN_S = 15.0
#: Lines of the log for each return and each minute; more would fill a disk in months.
_LINES_A_RETURN, _LINES_A_MINUTE = 2, 8
_LEAPS_S = (-7200.0, 0.0, 86400.0, -30.0, 3600.0)


def soak_sources(seconds: float, watchdog_s: float = 5.0, seed: int = 0) -> dict[str, Any]:
    """Watches for so long, and returns what came of it.

    Args:
        seconds: at least so long; an outage that has begun is waited for.
        watchdog_s: of the run; every other outage lasts for more than ten times as long.
        seed: of the lengths of outages.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name, mjpeg_server("--width", "320") as camera, bad_cameras() as bad:
        folder = Path(name)
        onnx.save(build_model(Contract(("a", "b", "c"), (240, 320)), scores=(0.9,)), folder / "model.onnx")
        write_variable_rate(folder / "rate.mp4", [0.04, 0.5, 0.1] * 10 + [2.5 * watchdog_s] + [0.04, 0.2] * 10)
        clock = folder / "clock"
        clock.write_text("0")
        program = ("benchmarks.camera.stepped_clock", str(clock))
        watch = Watch(folder, _config(camera.url(), bad, watchdog_s), program)
        try:
            return _Soak(watch, camera, clock, watchdog_s, chance).run(seconds)
        finally:
            if watch.process.poll() is None:
                watch.process.kill()
            watch.process.wait()


def _config(camera_url: str, bad_url: str, watchdog_s: float) -> dict[str, Any]:
    sources = {
        "away": {"source": camera_url},
        "parts": {"source": f"{bad_url}/parts"},
        "snapshot": {"source": f"{bad_url}/snapshot.jpg", "fps": 5},
        "rate": {"source": "rate.mp4", "loop": True},
    }
    zone = {"name": "left", "points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "dwell_s": 0.5}
    return {
        "model": "model.onnx",
        "cameras": {name: {**of, "timeout_s": _TIMEOUT_S, "zones": [zone]} for name, of in sources.items()},
        "outputs": {"detections": {"path": "found.jsonl", "max_mb": 5, "keep": 1}, "events": {"path": "events.jsonl"}},
        "serve": {"port": 0},
        "watchdog_s": watchdog_s,
    }


class _Soak:
    """One run, and what happened in it."""

    def __init__(
        self, watch: Watch, camera: Counterpart, clock: Path, watchdog_s: float, chance: random.Random
    ) -> None:
        self._watch, self._camera, self._clock = watch, camera, clock
        self._watchdog_s, self._chance = watchdog_s, chance
        self._memory: list[float] = []
        self._returns = self._long = self._silent_returns = self._unhealthy = self._leaps = 0
        self._away_s = 0.0

    def run(self, seconds: float) -> dict[str, Any]:
        start_s = monotonic()
        self._stay(min(10.0, seconds / 4))
        while monotonic() - start_s < seconds:
            self._outage()
            self._stay(self._chance.uniform(3, 10))
        status = self._watch.status()
        self._watch.process.send_signal(signal.SIGTERM)
        code = self._watch.process.wait(60)
        lines = self._watch.log.read_text().splitlines()
        part = max(1, len(self._memory) // 10)
        cameras = status["cameras"]
        keys = ("captured", "processed", "dropped", "failed", "unreadable", "reconnects")
        return {
            "uptime_s": round(monotonic() - start_s),
            "exit_code": code,
            "returns": self._returns,
            "returns_after_ten_watchdogs": self._long,
            "returns_without_results": self._silent_returns,
            "unhealthy_after_return": self._unhealthy,
            "clock_steps": self._leaps,
            "away_s": round(self._away_s),
            "failed": sum(camera["failed"] for camera in cameras.values()),
            "cameras": {name: {key: camera[key] for key in keys} for name, camera in cameras.items()},
            "memory_mb_first_tenth": round(sum(self._memory[:part]) / part, 1),
            "memory_mb_last_tenth": round(sum(self._memory[-part:]) / part, 1),
            "log_lines": len(lines),
            "tracebacks": sum("Traceback" in line for line in lines),
        }

    def _stay(self, seconds: float) -> None:
        """All sources are there."""
        end_s = monotonic() + seconds
        while monotonic() < end_s:
            sleep(0.5)
            self._memory.append(self._watch.resident_mb())

    def _outage(self) -> None:
        """The camera is away, every other time for longer than ten watchdogs, and the clock is set meanwhile."""
        is_long = self._returns % 2 == 0
        away_s = (10 * self._watchdog_s + 3 if is_long else 0) + self._chance.uniform(1, 4)
        leave, come = self._chance.choice(
            [(self._camera.kill, self._camera.start), (self._camera.freeze, self._camera.thaw)]
        )
        leave()
        self._clock.write_text(str(_LEAPS_S[self._leaps % len(_LEAPS_S)]))
        self._leaps += 1
        self._stay(away_s)
        before = self._processed()
        come()
        self._returns, self._long, self._away_s = self._returns + 1, self._long + is_long, self._away_s + away_s
        end_s = monotonic() + _BACK_WITHIN_S
        while self._processed() < before + 3 and monotonic() < end_s:
            sleep(0.1)
        self._silent_returns += self._processed() < before + 3
        self._unhealthy += any(one["state"] != "running" for one in self._watch.status()["cameras"].values())

    def _processed(self) -> int:
        return int(self._watch.status()["cameras"]["away"]["processed"])


def _problems(found: dict[str, Any]) -> list[str]:
    """What should be nothing, and is not."""
    allowed = 30 + _LINES_A_RETURN * found["returns"] + _LINES_A_MINUTE * found["uptime_s"] / 60
    keys = ("exit_code", "failed", "returns_without_results", "unhealthy_after_return", "tracebacks")
    problems = [f"{key}: {found[key]}" for key in keys if found[key]]
    problems += [f"{name} gave nothing" for name, one in found["cameras"].items() if not one["processed"]]
    problems += [f"{name} was opened anew" for name in ("parts", "rate") if found["cameras"][name]["reconnects"]]
    return problems + ([f"log_lines: {found['log_lines']}"] if found["log_lines"] > allowed else [])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--watchdog", type=float, default=5.0, metavar="S", help="watchdog_s of the run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args(arguments)
    results = {**soak_sources(60 * args.minutes, args.watchdog, args.seed), "facts": facts()}
    results["problems"] = _problems(results)
    print(json.dumps(results, indent=2))
    if args.json is not None:
        write_text(args.json, json.dumps(results, indent=2) + "\n")
    return 1 if results["problems"] else 0


if __name__ == "__main__":
    sys.exit(run_command("soak_sources", main))
