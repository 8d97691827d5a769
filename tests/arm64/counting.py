"""Counts the instructions that an emulated program executes.

How many they are is the same in every run, to a millionth or so, whatever else this machine does: what time under an
emulator is not. They are not time either, see ``docs/arm64.md``.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.arm64.emulator import EmulatedError, Emulator
from tests.arm64.root import RootError

__all__ = ["Instructions", "count_instructions", "count_runs"]

_SOURCE = Path(__file__).parent / "counter.c"
#: No C library: the root's may be older than the compiler's.
_FLAGS = ("-O1", "-Wall", "-shared", "-fPIC", "-nostdlib", "-ffreestanding", "-fno-stack-protector")
_REPORT = re.compile(r"^instructions \(vector, memory, other\): (\d+) (\d+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Instructions:
    """How many were executed.

    Attributes:
        vector: computing with vectors or floating-point numbers.
        memory: loads and stores.
        other: all else, mostly integers, comparisons and jumps.
    """

    vector: int
    memory: int
    other: int

    @property
    def total(self) -> int:
        """Of all kinds."""
        return self.vector + self.memory + self.other


def count_instructions(emulator: Emulator, *arguments: str) -> Instructions:
    """Of ``python ARGUMENTS`` from its start to its end, all threads together.

    Raises:
        EmulatedError: it failed.
        RootError: there is no C compiler here.
    """
    done = emulator.run(*arguments, options=("-d", "plugin", "-plugin", _counter(emulator)))
    report = _REPORT.search(done.stderr)
    if done.returncode or report is None:
        raise EmulatedError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return Instructions(*map(int, report.groups()))


def count_runs(emulator: Emulator, model: Path, runs: int = 2) -> Instructions:
    """Of one run of a network: what ``runs`` more runs execute, shared among them; the first is not among them.

    Raises:
        EmulatedError: ONNX Runtime cannot run it.
        RootError: there is no C compiler here.
    """
    program, inside = emulator.put(Path(__file__).parent / "guest/repeat.py"), emulator.put(model)
    emulator.run(program, inside, "0")  # Python keeps the bytecode of what it imports, and compiles no more of it
    few, many = (count_instructions(emulator, program, inside, str(number)) for number in (1, 1 + runs))
    kinds = ("vector", "memory", "other")
    return Instructions(**{kind: (getattr(many, kind) - getattr(few, kind)) // runs for kind in kinds})


def _counter(emulator: Emulator) -> str:
    """Compiles the plugin, once for each machine."""
    plugin = emulator.folder / "counter.so"
    if not plugin.exists():
        if (compiler := shutil.which("cc")) is None:
            raise RootError("needs a C compiler to count instructions: on Debian, apt-get install gcc")
        subprocess.run([compiler, *_FLAGS, "-o", str(plugin), str(_SOURCE)], check=True)
    return emulator.inside(plugin)
