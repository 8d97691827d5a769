"""What this process costs the machine."""

import os
import sys
import threading
from time import monotonic, process_time

__all__ = ["CpuShare", "resident_mb"]

_RENEW_S = 1.0


def resident_mb() -> float:
    """Memory that the process holds, in MB of 10^6 bytes. Outside of Linux the most that it has held."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return round(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    except OSError:
        pass
    if sys.platform == "win32":
        return 0.0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / 1e6 if sys.platform == "darwin" else most / 1e3, 1)


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
