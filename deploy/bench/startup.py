"""Time to the first result, and memory, measured in a fresh process: ``python -m fusedet.deploy.bench.startup``.

The process says on standard output how far it is; who started it reads the clock. Its image is a blank one.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fusedet.common.errors import InputError
from fusedet.common.machine import resident_bytes
from fusedet.deploy.bench.images import FRAME_HW
from fusedet.deploy.detector.detector import Detector
from fusedet.deploy.detector.session import OTHER_RUNTIMES

#: That the process writes: imported, opened, first, memory.
_LINES = 4
#: Images until memory is looked at: buffers have their size by then.
_SETTLED = 50
_MB = 2**20


@dataclass(frozen=True)
class Startup:
    """A fresh process, files in the disk cache; memory in MB of 2^20 bytes, None where the system does not tell."""

    import_ms: float  # Python's own start, numpy, OpenCV, ONNX Runtime and fusedet
    open_ms: float  # opening the model, with ONNX Runtime's optimisations
    first_ms: float  # the first image, for which ONNX Runtime lays out the memory
    resident_mb: float | None  # after some images
    peak_mb: float | None = None  # the most that lay in RAM until then, mostly while the model was opened

    @property
    def total_ms(self) -> float:
        """From the start of the process to the first detections."""
        return self.import_ms + self.open_ms + self.first_ms


def measure_startup(model: Path, threads: int, spinning: bool = False, *, processes: int = 3) -> Startup:
    """Starts a few processes, one after the other, that open ``model`` and look at blank images; the quickest counts.

    Raises:
        InputError: a process failed; the message is its last line.
    """
    return min((_start(model, threads, spinning) for _ in range(processes)), key=lambda one: one.total_ms)


def _peak_mb() -> float | None:
    """The most of this process that ever lay in RAM. Not what ``getrusage`` says, where its parent counts as well."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = next((line.split() for line in lines if line.startswith("VmHWM:")), None)
    return None if found is None else int(found[1]) / 1024


def _start(model: Path, threads: int, spinning: bool) -> Startup:
    arguments = [sys.executable, "-m", __name__, str(model), str(threads), str(int(spinning))]
    # Nothing of the folder that the user happens to be in may be imported.
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    marks, said = list[float](), list[str]()
    with tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                marks.append((time.perf_counter() - began) * 1e3)
                said.append(line)
        errors.seek(0)
        last_error = (errors.read().splitlines() or [f"exit code {process.returncode}"])[-1]
    if process.returncode != 0 or len(marks) != _LINES:
        raise InputError(f"{model}: a process of its own could not run it: {last_error}")
    imported, opened, first, _ = marks
    return Startup(imported, opened - imported, first - opened, **json.loads(said[-1]))


def _child(model: str, threads: str, spinning: str) -> None:
    image = np.zeros((*FRAME_HW, 3), np.uint8)
    if Path(model).suffix not in OTHER_RUNTIMES:
        import onnxruntime  # noqa: F401  what opens the file would import it
    print("imported", flush=True)
    detector = Detector(model, threads=int(threads), allow_spinning=bool(int(spinning)))
    print("opened", flush=True)
    detector(image)
    print("first", flush=True)
    for _ in range(_SETTLED):
        detector(image)
    held = resident_bytes()
    memory = {"resident_mb": None if held is None else held / _MB, "peak_mb": _peak_mb()}
    print(json.dumps(memory), flush=True)


if __name__ == "__main__":
    _child(*sys.argv[1:])
