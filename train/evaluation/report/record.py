"""What a run folder holds, read for a report: of a training that is done, goes on, or was interrupted."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusedet.common.errors import InputError
from fusedet.common.hashing import sha256
from fusedet.model import count_parameters, load_detector
from fusedet.train.config import TrainConfig, load_train_config
from fusedet.train.evaluation.outputs import Output, read_outputs
from fusedet.train.run_folder import RunFolder

_MOST_EPOCHS = 1e9


@dataclass(frozen=True)
class BestWeights:
    """What ``best.pt`` says of itself."""

    meta: dict[str, Any]  # the checkpoint's description
    parameters: int  # of the network as it is exported
    sha256: str


@dataclass(frozen=True)
class RunRecord:
    """A run folder's content."""

    run: RunFolder
    config: TrainConfig  # resolved, defaults included
    rows: list[dict[str, float]]  # one an epoch, from ``metrics.csv``
    best: BestWeights | None  # None before the first epoch was evaluated
    #: with NMS and NMS-free, in this order; empty where the run folder does not hold their figures
    outputs: tuple[Output, ...] = ()

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.run.path.resolve().name

    @property
    def epochs_done(self) -> int:
        """Epochs so far."""
        return int(self.rows[-1]["epoch"]) if self.rows else 0

    @property
    def best_row(self) -> dict[str, float] | None:
        """The epoch with the best AP, the first of them, as training keeps it."""
        evaluated = [row for row in self.rows if not math.isnan(row.get("ap", math.nan))]
        return max(evaluated, key=lambda row: row["ap"]) if evaluated else None

    @property
    def evaluated_output(self) -> Output | None:
        """The output that the training evaluated after its epochs; None where its figures are not known."""
        return next((output for output in self.outputs if output.nms == self.config.eval.nms), None)

    @property
    def out_of_patience(self) -> bool:
        """It ended early, as it was told to."""
        patience, best = self.config.train.patience, self.best_row
        return bool(patience and best and self.epochs_done - best["epoch"] >= patience)

    @property
    def finished(self) -> bool:
        """Nothing is left to train."""
        return self.epochs_done >= self.config.train.epochs or self.out_of_patience

    @property
    def seconds(self) -> float:
        """Of training and evaluation so far."""
        return self.rows[-1]["seconds"] if self.rows else 0.0


def read_record(path: Path) -> RunRecord:
    """Reads the run that ``path`` belongs to: its folder, or a file in it. Raises InputError if it is of no use."""
    run = RunFolder(path if path.is_dir() else path.parent)
    if not run.config.is_file():
        raise InputError(f"{path}: expected the folder of a training, but there is no {run.config}")
    try:
        rows = run.read_metrics()
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{run.metrics}: expected a row of numbers an epoch, but it holds something else") from error
    if not all({"epoch", "seconds"} <= row.keys() and _is_epoch(row["epoch"]) for row in rows):
        raise InputError(f"{run.metrics}: expected the columns epoch and seconds, and a whole epoch in each row")
    config = load_train_config(run.config)
    best = None
    if run.best.is_file():
        net, meta = load_detector(run.best)
        best = BestWeights(meta, count_parameters(net), sha256(run.best))
        config = config.model_copy(update={"model": net.config})
    return RunRecord(run, config, rows, best, read_outputs(run))


def _is_epoch(number: float) -> bool:
    return 0 < number < _MOST_EPOCHS and number.is_integer()
