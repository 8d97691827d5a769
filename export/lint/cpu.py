"""The CPU that a file is looked at on."""

import platform
from dataclasses import dataclass

import onnxruntime as ort

from fusedet.deploy.bench.machine import vector_unit

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
    """The one that runs this."""
    vector = vector_unit()
    return Machine(platform.machine(), vector, 8 if vector in ("avx2", "avx") else 16, ort.__version__)
