"""One spoiled file for one reader, and what must hold whatever it is."""

import random
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fusedet.common.errors import InputError
from tests.alarm import limit

#: A reader that takes longer for one small file hangs.
LIMIT_S = 30.0


@dataclass(frozen=True)
class Target:
    """A reader, and files that it can read.

    Attributes:
        name: for people.
        file: what its input is called in the folder.
        prepare: makes in an empty folder what lies beside the input, and gives inputs that are well.
        spoil: changes one of them.
        read: reads the file at a path. InputError is as good an end as any; everything else is a fault.
        may_change: the reader may fix the file.
    """

    name: str
    file: str
    prepare: Callable[[Path], Sequence[bytes]]
    spoil: Callable[[bytes, random.Random], bytes]
    read: Callable[[Path], object]
    may_change: bool = False


@dataclass(frozen=True)
class Fault:
    """What went wrong: ``kind`` is ``traceback``, ``hang``, ``crash``, ``lost`` or ``message``."""

    target: str
    number: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        """One line that is the same for the same mistake."""
        lines = [line.strip() for line in self.text.strip().splitlines()]
        files = [line for line in lines if line.startswith("File ") and "/fusedet/" in line]
        what = re.match(r"[\w.]+", lines[-1]) if lines else None
        return f"{self.kind}: {files[-1] if files else ''} {what[0] if what else ''}"


class _HangsError(BaseException):
    """Not an Exception, so that no reader takes it for an error of its own."""


class Trial:
    """Feeds spoiled inputs to a target in a folder of its own."""

    def __init__(self, target: Target, folder: Path) -> None:
        """Makes what the target needs, and makes sure that it can read what is well."""
        self.target = target
        folder.mkdir(parents=True, exist_ok=True)
        self._seeds = list(target.prepare(folder))
        self._path = folder / target.file
        for seed in self._seeds:
            self._path.write_bytes(seed)
            target.read(self._path)

    def input(self, number: int) -> bytes:
        """Input ``number``, the same at every call."""
        rng = random.Random(f"{self.target.name} {number}")
        return self.target.spoil(rng.choice(self._seeds), rng)

    def run(self, number: int) -> Fault | None:
        """Feeds input ``number``; None where all is well."""
        self._path.write_bytes(self.input(number))
        before = self._listing()
        fault = self._read(number)
        if fault is None and self._listing() != before:
            gone, new = sorted(before - self._listing()), sorted(self._listing() - before)
            fault = Fault(self.target.name, number, "lost", f"gone or changed: {gone}, new: {new}")
        return fault

    def _read(self, number: int) -> Fault | None:
        try:
            with limit(LIMIT_S, _HangsError()):
                self.target.read(self._path)
        except InputError as error:
            if not str(error).strip() or len(str(error)) > 3000:
                return Fault(self.target.name, number, "message", f"{len(str(error))} characters: {str(error)[:300]!r}")
        except _HangsError:
            return Fault(self.target.name, number, "hang", traceback.format_exc())
        except Exception:
            return Fault(self.target.name, number, "traceback", traceback.format_exc())
        return None

    def _listing(self) -> set[tuple[str, int]]:
        """Files and when they were last written; a reader keeps its hands off all of them."""
        files = (path for path in self._path.parent.rglob("*") if path.is_file())
        return {
            (path.relative_to(self._path.parent).as_posix(), path.stat().st_mtime_ns)
            for path in files
            if not (self.target.may_change and path == self._path)
        }
