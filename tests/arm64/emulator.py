"""Runs programs under an emulated ARM core, in the root that :mod:`tests.arm64.root` makes.

The programs see that root as the whole file system. Nothing of this machine is mounted there, above all not /proc and
/sys: see ``_CPUINFO`` in :mod:`tests.arm64.root`.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fusedet.cli
import fusedet.common
import fusedet.configs
import fusedet.deploy
from tests.arm64.root import EMULATOR, PYTHON

__all__ = ["CPU", "EmulatedError", "Emulator", "open_emulator"]

#: The core of a Raspberry Pi 4.
CPU = "cortex-a72"
#: What a board has of fusedet: neither model nor training nor export.
_RUNTIME = (fusedet.common, fusedet.configs, fusedet.deploy, fusedet.cli)
_GUEST = Path(__file__).parent / "guest"
_MOST_SECONDS = 900


class EmulatedError(Exception):
    """A program ended in an error, which is the message."""


@dataclass(frozen=True)
class Emulator:
    """An ARM machine for some programs.

    Attributes:
        root: what it sees as its file system.
        folder: in it, for files that go in and come out; empty but for ``site``, the runtime.
    """

    root: Path
    folder: Path

    @property
    def runtime(self) -> Path:
        """The copy of the package ``fusedet`` that runs here."""
        return self.folder / "site/fusedet"

    def inside(self, path: Path) -> str:
        """What the programs call a file of ours that lies in the root."""
        return "/" + str(path.relative_to(self.root))

    def put(self, path: Path) -> str:
        """Copies a file to the folder; what the programs call it."""
        return self.inside(Path(shutil.copy(path, self.folder)))

    def run(self, *arguments: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """``python ARGUMENTS``, whatever its exit code is.

        Args:
            arguments: of Python.
            options: of the emulator.
        """
        settings = {
            "HOME": self.inside(self.folder),
            "LC_ALL": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": self.inside(self.folder / "site"),
        }
        command = [*_enter(self.root), f"/{EMULATOR}", "-cpu", CPU, *options, f"/{PYTHON}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=settings, timeout=_MOST_SECONDS, check=False)

    def guest(self, name: str, *arguments: str, options: Sequence[str] = ()) -> str:
        """Runs a program of the folder ``guest``; what it printed.

        Raises:
            EmulatedError: it failed.
        """
        done = self.run(self.put(_GUEST / f"{name}.py"), *arguments, options=options)
        if done.returncode:
            raise EmulatedError(f"{name} {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return done.stdout

    def fusedet(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command ``fusedet ARGUMENTS``, whatever its exit code is."""
        return self.run("-m", "fusedet.cli.main", *arguments)


@contextmanager
def open_emulator(root: Path) -> Iterator[Emulator]:
    """A machine with a folder of its own, which is removed at the end."""
    with tempfile.TemporaryDirectory(dir=root / "work") as name:
        emulator = Emulator(root, Path(name))
        for package in _RUNTIME:
            (source,) = package.__path__
            place = emulator.runtime / Path(package.__name__.replace(".", "/")).name
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        yield emulator


def _enter(root: Path) -> list[str]:
    """The command that lets another see ``root`` as its file system; who is not root needs a user namespace for it."""
    if os.geteuid() == 0:
        return [shutil.which("chroot") or "chroot", str(root)]
    return [shutil.which("unshare") or "unshare", "--map-root-user", f"--root={root}", "--wd=/"]
