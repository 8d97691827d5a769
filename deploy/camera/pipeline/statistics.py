"""Counts and times of a camera, cheap enough to be kept for every frame, and what the process costs the machine."""

import threading
from collections import Counter, deque
from collections.abc import Collection
from time import monotonic, process_time
from typing import Any

import numpy as np

_KEPT = 600
_RATE_OVER_S = 10.0
#: So many frames in a row that fail are all of a camera's.
_ALL_FAIL = 3
_PERCENTILES = (50, 95, 99)
_CPU_OVER_S = 1.0


class CpuShare:
    """Share of one core that the process took lately: 1 is one core all the time, 2 two."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wall, self._cpu, self._share = monotonic(), process_time(), 0.0

    def __call__(self) -> float:
        """The share, over the time since it was last renewed, a second ago or more."""
        with self._lock:
            wall, cpu = monotonic(), process_time()
            if wall - self._wall >= _CPU_OVER_S:
                self._share = round((cpu - self._cpu) / (wall - self._wall), 3)
                self._wall, self._cpu = wall, cpu
            return self._share


class CameraStatistics:
    """What happened to the frames of one camera. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._captured = self._missed = self._processed = self._failed = 0
        self._failures, self._why = 0, ""  # in a row
        self._inference_ms = deque[float](maxlen=_KEPT)
        self._age_ms = deque[float](maxlen=_KEPT)
        self._done = deque[float](maxlen=_KEPT)
        self._visible: Counter[str] = Counter()

    def captured(self, missed: int = 0) -> None:
        """The camera gave a frame, and ``missed`` before it that nobody took in time."""
        with self._lock:
            self._captured += 1 + missed
            self._missed += missed

    def failed(self, why: str) -> None:
        """A frame could not be looked at, or what was found could not be handed on."""
        with self._lock:
            self._failed += 1
            self._failures, self._why = self._failures + 1, why

    @property
    def error(self) -> str | None:
        """Why no frame gets a result at present; None while some do."""
        with self._lock:
            return f"every frame fails: {self._why}" if self._failures >= _ALL_FAIL else None

    def processed(self, inference_ms: float, age_s: float, labels: list[str]) -> None:
        """A frame has its result."""
        with self._lock:
            self._processed += 1
            self._failures = 0
            self._inference_ms.append(inference_ms)
            self._age_ms.append(1000 * age_s)
            self._done.append(monotonic())
            self._visible = Counter(labels)

    def report(self) -> dict[str, Any]:
        """The figures, as :meth:`fusedet.deploy.camera.pipeline.pipeline.Pipeline.status` names them."""
        with self._lock:
            return {
                "captured": self._captured,
                "dropped": self._missed,
                "processed": self._processed,
                "failed": self._failed,
                "fps": round(self._rate(), 2),
                "inference_ms": _percentiles(self._inference_ms),
                "age_ms": _percentiles(self._age_ms),
                "visible": dict(self._visible),
            }

    def _rate(self) -> float:
        """Results in a second, over the last ten seconds."""
        now = monotonic()
        lately = [done for done in self._done if now - done <= _RATE_OVER_S]
        return len(lately) / max(now - lately[0], 1e-3) if lately else 0.0


def _percentiles(values: Collection[float]) -> dict[str, float | None]:
    """``p50``, ``p95`` and ``p99``; None before the first value."""
    if not values:
        return dict.fromkeys((f"p{p}" for p in _PERCENTILES), None)
    found = np.percentile(list(values), _PERCENTILES).tolist()
    return {f"p{p}": round(value, 3) for p, value in zip(_PERCENTILES, found, strict=True)}
