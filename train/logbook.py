"""The figures of each epoch: as CSV, for TensorBoard, and as curves."""

import math
from types import TracebackType

from lightning_fabric.loggers import TensorBoardLogger

from fusedet.train.plots import draw_curves
from fusedet.train.run_folder import RunFolder

__all__ = ["Logbook"]


class Logbook:
    """Writes one row an epoch. ``active`` is False for all processes but the first."""

    def __init__(self, run: RunFolder, active: bool) -> None:
        self._run, self._active = run, active
        self._board = TensorBoardLogger(run.path, name="tensorboard", version="") if active else None

    def __enter__(self) -> "Logbook":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._board is not None:
            self._board.experiment.close()

    def write(self, row: dict[str, float], epoch: int) -> None:
        """Adds the row of ``epoch``; ``row["epoch"]`` is the same number."""
        if self._board is None:
            return
        self._run.append_metrics(row)
        figures = {name: value for name, value in row.items() if name != "epoch" and not math.isnan(value)}
        self._board.log_metrics(figures, epoch)
        self._board.save()

    def draw(self) -> None:
        """Draws ``curves.png`` from all rows so far."""
        rows = self._run.read_metrics() if self._active else []
        if rows:
            draw_curves(rows, self._run.path / "curves.png")
