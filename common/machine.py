"""The machine that runs this: its processor, its cores, the versions that compute on it; memory of this process."""

import os
import platform
import sys
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

#: ``CPU part`` of ARM's own cores (implementer 0x41), which Linux tells by number alone.
_ARM_CORES = {
    0xC07: "Cortex-A7",
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
    0xD0D: "Cortex-A77",
    0xD40: "Neoverse-V1",
    0xD41: "Cortex-A78",
    0xD42: "Cortex-A78AE",
    0xD44: "Cortex-X1",
    0xD46: "Cortex-A510",
    0xD47: "Cortex-A710",
    0xD48: "Cortex-X2",
    0xD49: "Neoverse-N2",
    0xD4D: "Cortex-A715",
    0xD4E: "Cortex-X3",
    0xD4F: "Neoverse-V2",
    0xD80: "Cortex-A520",
    0xD81: "Cortex-A720",
}
_ARM = 0x41
#: Packages that compute, by the module that tells their version. NumPy first: Ctrl-C while ONNX Runtime imports it ends
#: as an ImportError.
_COMPUTING = {"numpy": "numpy", "opencv": "cv2", "onnxruntime": "onnxruntime"}
_VECTOR_UNITS = ("avx512f", "avx2", "avx", "asimddp", "asimd", "neon")


@dataclass(frozen=True)
class Machine:
    """A machine, as far as the speed of a network depends on it.

    What the system does not tell is empty (``board``, on most PCs), ``unknown`` (``vector``) or None (``memory_mb``).
    ``cores`` are physical ones that this process may use; ``versions`` are those of what computes, as far as it is
    installed.
    """

    board: str
    cpu: str
    cores: int
    architecture: str
    vector: str
    memory_mb: int | None
    system: str
    versions: dict[str, str]

    def __str__(self) -> str:
        return f"ONNX Runtime {self.versions['onnxruntime']} on {self.architecture} ({self.vector})"


def this_machine(root: Path = Path("/")) -> Machine:
    """Asks Linux, whose file system begins at ``root``; other systems tell less."""
    return Machine(
        board=_read(root / "proc/device-tree/model").strip("\0 \n"),
        cpu=processor_name(root),
        cores=physical_cores(),
        architecture=platform.machine(),
        vector=vector_unit(root),
        memory_mb=_memory_mb(_read(root / "proc/meminfo")),
        system=f"{platform.system()} {platform.release()}",
        versions={
            "fusedet": _own_version(),
            **{
                name: str(import_module(module).__version__) for name, module in _COMPUTING.items() if find_spec(module)
            },
            "python": sys.version.split()[0],
        },
    )


def physical_cores() -> int:
    """Physical cores that this process may use, at least 1."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    cores = set()
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text().strip())
        except OSError:  # not Linux, or a container that hides it: each logical CPU counts as a core
            cores.add(str(cpu))
    return max(1, len(cores))


def processor_name(root: Path = Path("/")) -> str:
    """As the system calls it; an ARM processor by the names of its cores, as in ``4 x Cortex-A55, 4 x Cortex-A76``."""
    info = _read(root / "proc/cpuinfo")
    pairs = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in info.splitlines())]
    named = next((value for name, value in pairs if name == "model name" and value), None)
    if named is not None and not named.startswith("ARM"):  # 32-bit kernels: "ARMv7 Processor rev 3 (v7l)"
        return named
    makers = [int(value, 0) for name, value in pairs if name == "CPU implementer"]
    parts = [int(value, 0) for name, value in pairs if name == "CPU part"]
    cores = [
        _ARM_CORES.get(part, f"ARM core {part:#x}") if maker == _ARM else f"core {maker:#x}:{part:#x}"
        for maker, part in zip(makers, parts, strict=False)
    ]
    counted = ", ".join(f"{count} x {core}" for core, count in Counter(cores).items())
    board = next((value for name, value in pairs if name == "Model"), None)
    return counted or named or board or platform.processor() or platform.machine()


def vector_unit(root: Path = Path("/")) -> str:
    """The widest one that counts, by Linux's name for it; ``unknown`` where the system does not tell."""
    words = set(_read(root / "proc/cpuinfo").split())
    return next((unit for unit in _VECTOR_UNITS if unit in words), "unknown")


def resident_bytes() -> int | None:
    """What lies in RAM. Outside of Linux the most that ever lay there; None where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        pass
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _memory_mb(meminfo: str) -> int | None:
    found = next((line.split() for line in meminfo.splitlines() if line.startswith("MemTotal:")), None)
    return None if found is None else round(int(found[1]) / 1024)


def _own_version() -> str:
    try:
        return version("fusedet")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
