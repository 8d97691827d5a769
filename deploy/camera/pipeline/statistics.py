"""Counts and times of a camera, cheap enough to be kept for every frame."""

import threading
from collections import Counter, deque
from time import monotonic
from typing import Any

import numpy as np

_KEPT = 600
_RATE_OVER_S = 10.0
#: So many frames in a row that fail are all of a camera's.
_ALL_FAIL = 3


class Recent:
    """The last values, of which percentiles are asked."""

    def __init__(self, kept: int = _KEPT) -> None:
        """Keeps the last ``kept`` values."""
        self._values: deque[float] = deque(maxlen=kept)

    def add(self, value: float) -> None:
        """One more."""
        self._values.append(value)

    def percentiles(self) -> dict[str, float | None]:
        """``p50``, ``p95`` and ``p99``; None before the first value."""
        values = list(self._values)
        if not values:
            return {"p50": None, "p95": None, "p99": None}
        return {
            f"p{p}": round(float(value), 3)
            for p, value in zip((50, 95, 99), np.percentile(values, (50, 95, 99)), strict=True)
        }


class CameraStatistics:
    """What happened to the frames of one camera. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._captured = self._missed = self._processed = self._failed = 0
        self._failures, self._why = 0, ""  # in a row
        self._inference_ms, self._age_ms = Recent(), Recent()
        self._done: deque[float] = deque(maxlen=_KEPT)
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
            self._inference_ms.add(inference_ms)
            self._age_ms.add(1000 * age_s)
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
                "inference_ms": self._inference_ms.percentiles(),
                "age_ms": self._age_ms.percentiles(),
                "visible": dict(self._visible),
            }

    def _rate(self) -> float:
        """Results in a second, over the last ten seconds."""
        now = monotonic()
        lately = [done for done in self._done if now - done <= _RATE_OVER_S]
        return len(lately) / max(now - lately[0], 1e-3) if lately else 0.0
