"""What the machine is called that something was measured on."""

import platform
from pathlib import Path

__all__ = ["processor_name"]


def processor_name() -> str:
    """As the system calls it; a board's own name where it tells that instead."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(named, platform.processor())
