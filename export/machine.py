"""The CPU that a file is looked at on."""

import platform
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

__all__ = ["Machine", "this_machine"]


@dataclass(frozen=True)
class Machine:
    """What decides how ONNX Runtime computes convolutions.

    Attributes:
        architecture: ``x86_64``, ``aarch64`` and so on.
        vector: the widest vector unit that counts, ``unknown`` where the system does not tell.
        block: channels of a block of the blocked layout: 16 with AVX-512, 8 with less; 16 where there is none.
        onnxruntime: version.
    """

    architecture: str
    vector: str
    block: int
    onnxruntime: str

    def __str__(self) -> str:
        return f"ONNX Runtime {self.onnxruntime} on {self.architecture} ({self.vector})"


def this_machine() -> Machine:
    """Reads ``/proc/cpuinfo`` where there is one."""
    architecture = platform.machine()
    info = Path("/proc/cpuinfo")
    words = set(info.read_text().split()) if info.exists() else set()
    vector = next((name for name in ("avx512f", "avx2", "avx", "asimd") if name in words), "unknown")
    return Machine(architecture, vector, 8 if vector in ("avx2", "avx") else 16, ort.__version__)
