"""The folder of one training: what lies where, and that no earlier result is overwritten."""

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fusedet.common.atomic import OF_THE_DISK, write_text
from fusedet.common.errors import GaveUpError, InputError
from fusedet.configs.inputs import BEST_CHECKPOINT

try:
    import fcntl
except ImportError:  # Windows has none: there, nobody is kept out
    fcntl = None  # type: ignore[assignment]


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run folder."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def last(self) -> Path:
        """Checkpoint of the last epoch, with all that a resume needs."""
        return self.path / "last.pt"

    @property
    def best(self) -> Path:
        """Averaged weights of the epoch with the best AP."""
        return self.path / BEST_CHECKPOINT

    @property
    def metrics(self) -> Path:
        """One row an epoch."""
        return self.path / "metrics.csv"

    @property
    def curves(self) -> Path:
        """The training's curves as an image."""
        return self.path / "curves.png"

    @property
    def diagnostics(self) -> Path:
        """One row an epoch and layer, where ``train.diagnostics`` is set."""
        return self.path / "diagnostics.csv"

    @property
    def report(self) -> Path:
        """The report as a page, written when the training is done."""
        return self.path / "report.html"

    @property
    def outputs(self) -> Path:
        """Figures of both outputs of ``best.pt``, written when the training is done."""
        return self.path / "outputs.json"

    @property
    def resume_command(self) -> str:
        """What the user gives to go on with the training."""
        return f"fusedet train --resume {self.path}"

    @classmethod
    def create(cls, name: str, wanted: Path | None) -> "RunFolder":
        """A new, empty folder: ``wanted``, or the first free of ``runs/NAME-1``, ``runs/NAME-2``, ...

        Raises:
            InputError: see :meth:`check_free`.
        """
        cls.check_free(wanted)
        if wanted is not None:
            wanted.mkdir(parents=True, exist_ok=True)
            return cls(wanted)
        number = 1
        while True:
            path = Path("runs") / f"{name}-{number}"
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                number += 1
            else:
                return cls(path)

    @staticmethod
    def check_free(wanted: Path | None) -> None:
        """Makes sure, before any long work, that :meth:`create` will not refuse.

        Raises:
            InputError: ``wanted`` exists and is not empty, or nothing can be written there.
        """
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
        """The run that ``path`` belongs to: its folder, or a checkpoint in it.

        Raises:
            InputError: there is no run to resume.
        """
        folder = path if path.is_dir() else path.parent
        run = cls(folder)
        if not run.last.is_file():
            raise InputError(f"{path}: no run to resume: {run.last} does not exist")
        return run

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from training in this folder meanwhile: they would overwrite each other's results.

        The lock is the system's and ends with the process, however that ends; the empty file that bears it stays.

        Raises:
            InputError: another process trains here.
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
        """Says how to go on after the disk took no more.

        Raises:
            GaveUpError: it did not.
        """
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
