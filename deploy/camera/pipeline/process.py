"""What this process costs the machine."""

import threading
from time import monotonic, process_time

_RENEW_S = 1.0


class CpuShare:
    """Share of one core that the process took lately: 1 is one core all the time, 2 two."""

    def __init__(self) -> None:
        """Counts from now on."""
        self._lock = threading.Lock()
        self._wall, self._cpu, self._share = monotonic(), process_time(), 0.0

    def __call__(self) -> float:
        """The share, over the time since it was last renewed, a second ago or more."""
        with self._lock:
            wall, cpu = monotonic(), process_time()
            if wall - self._wall >= _RENEW_S:
                self._share = round((cpu - self._cpu) / (wall - self._wall), 3)
                self._wall, self._cpu = wall, cpu
            return self._share
