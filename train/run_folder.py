"""The folder of one training: what lies where, and that no earlier result is overwritten."""

import contextlib
import csv
import io
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fusedet.common.atomic import OF_THE_DISK, write_text
from fusedet.common.errors import GaveUpError, InputError
from fusedet.configs.inputs import BEST_CHECKPOINT

try:
    import fcntl
except ImportError:  # Windows has none: there, nobody is kept out
    fcntl = None  # type: ignore[assignment]


class RunFolder:
    """Paths inside a run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"  # resolved, defaults included
        self.last = path / "last.pt"  # checkpoint of the last epoch, with all that a resume needs
        self.best = path / BEST_CHECKPOINT  # averaged weights of the epoch with the best AP
        self.metrics = path / "metrics.csv"  # one row an epoch
        self.diagnostics = path / "diagnostics.csv"  # one row an epoch and layer, where ``train.diagnostics`` is set
        self.curves = path / "curves.png"
        self.report = path / "report.html"  # these two are written when the training is done
        self.outputs = path / "outputs.json"
        self.resume_command = f"fusedet train --resume {path}"

    @classmethod
    def create(cls, name: str, wanted: Path | None) -> "RunFolder":
        """A new, empty folder: ``wanted``, or the first free of ``runs/NAME-1``, ``runs/NAME-2``, ..."""
        cls.check_free(wanted)
        if wanted is not None:
            wanted.mkdir(parents=True, exist_ok=True)
            return cls(wanted)
        for number in itertools.count(1):
            path = Path("runs") / f"{name}-{number}"
            with contextlib.suppress(FileExistsError):
                path.mkdir(parents=True)
                break
        return cls(path)

    @staticmethod
    def check_free(wanted: Path | None) -> None:
        """Raises InputError if ``wanted`` holds something already, or nothing can be written there."""
        if wanted is not None and wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir())):
            raise InputError(f"{wanted}: exists already; give another train.out, or --resume {wanted} to go on with it")
        path = wanted or Path("runs")
        above = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not above.is_dir():
            raise InputError(f"{path}: cannot be made: {above} is not a folder")
        if not os.access(above, os.W_OK | os.X_OK):
            raise InputError(f"{path}: cannot be made: no permission to write into {above}")

    @classmethod
    def find(cls, path: Path) -> "RunFolder":
        """The run of a folder, or of a checkpoint in it. Raises InputError if there is no run to resume."""
        run = cls(path if path.is_dir() else path.parent)
        if not run.last.is_file():
            raise InputError(f"{path}: no run to resume: {run.last} does not exist")
        return run

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from training in this folder meanwhile. Raises InputError if one does.

        The lock is the system's and ends with the process, however that ends; the empty file that bears it stays.
        """
        with (self.path / ".lock").open("w") as file:
            if not _lock(file.fileno()):
                raise InputError(f"{self.path}: another process is training there; let it end, or stop it")
            yield

    def append_metrics(self, row: dict[str, float]) -> None:
        """Adds one epoch to ``metrics.csv``; its columns are those of the first row. The file is whole at any time."""
        self._write_metrics([*self.read_metrics(), row])

    def read_metrics(self) -> list[dict[str, float]]:
        """All rows of ``metrics.csv``. Half a row at the end, which a power cut may leave, is left out."""
        if not self.metrics.exists():
            return []
        text = self.metrics.read_text()
        whole = text[: text.rfind("\n") + 1]
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(io.StringIO(whole))]

    def forget_metrics_from(self, epoch: int) -> None:
        """Drops the rows of epochs that will be trained again because their checkpoint was never written."""
        self._write_metrics([row for row in self.read_metrics() if row["epoch"] < epoch])

    def _write_metrics(self, rows: list[dict[str, float]]) -> None:
        if not rows:
            self.metrics.unlink(missing_ok=True)
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), restval="nan", extrasaction="ignore")
        writer.writeheader()
        writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in rows)
        write_text(self.metrics, text.getvalue())

    @contextmanager
    def explained_full_disk(self) -> Iterator[None]:
        """Says how to go on after the disk took no more. Raises GaveUpError if it did not."""
        try:
            yield
        except OSError as error:
            if error.errno not in OF_THE_DISK:
                raise
            how = (
                f"{self.last} is whole; with more space, go on with: {self.resume_command}"
                if self.last.exists()
                else f"nothing was trained; with more space, remove {self.path} and start it again"
            )
            raise GaveUpError(f"{error.filename or self.path}: {os.strerror(error.errno)}; {how}") from error


def _lock(descriptor: int) -> bool:
    """False when another process has the file locked. Systems and file systems without locks keep nobody out."""
    try:
        if fcntl is not None:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError | PermissionError)
    return True
