"""What the activation study knows of its trainings, as ``results.json`` keeps it."""

import statistics

from benchmarks.ablation.graphs import Graph, Latency
from benchmarks.evaluation import Evaluation
from benchmarks.study import Outcome
from fusedet.configs.reader.strict import StrictModel
from fusedet.train.loop.diagnostics import read_diagnostics


class Run(StrictModel):
    """One training.

    Lists belong to ``epochs``, the evaluated ones. ``ap`` is of the output without NMS, ``dead`` and ``constant`` are
    shares of units; ``grad_norm`` and ``grad_spread`` (of the decimal logarithms of the layers' norms) are means over
    the training, ``clipped`` is the share of its steps whose gradients were. ``dead_by_layer`` is of the last epoch.
    """

    data: str
    seed: int
    epochs: list[int]
    ap: list[float]
    dead: list[float]
    constant: list[float]
    grad_norm: float
    clipped: float
    grad_spread: float
    dead_by_layer: dict[str, float]
    seconds: float
    evaluation: Evaluation

    @property
    def best_ap(self) -> float:
        """AP of the best epoch."""
        return max(self.ap)

    @property
    def mean_ap(self) -> float:
        """AP averaged over the training: the area under its curve."""
        return statistics.fmean(self.ap)

    def epochs_to(self, ap: float) -> int | None:
        """The first evaluated epoch that reached it."""
        return next((epoch for epoch, value in zip(self.epochs, self.ap, strict=True) if value >= ap), None)

    def dead_at(self, part: float) -> float:
        """Share of dead units after that part of the training, at the nearest evaluated epoch."""
        wanted = part * self.epochs[-1]
        return self.dead[min(range(len(self.epochs)), key=lambda i: abs(self.epochs[i] - wanted))]


class ActivationResult(StrictModel):
    """All trainings of one activation, and its exported graph where there is one."""

    name: str
    runs: list[Run]
    graph: Graph | None = None
    latency: Latency | None = None

    def on(self, data: str) -> list[Run]:
        """The trainings on one data set."""
        return [run for run in self.runs if run.data == data]


class Results(StrictModel):
    """The whole study."""

    preset: str
    input_size: tuple[int, int]
    epochs: int
    reference: str
    rounds: int
    machine: dict[str, str]
    activations: list[ActivationResult]

    @property
    def data(self) -> list[str]:
        """Names of the data sets."""
        return list(dict.fromkeys(run.data for activation in self.activations for run in activation.runs))

    def reference_ap(self, data: str) -> float | None:
        """Best AP of the reference on a data set, averaged over its seeds."""
        runs = [run for result in self.activations if result.name == self.reference for run in result.on(data)]
        return statistics.fmean(run.best_ap for run in runs) if runs else None

    def pairs(self, result: ActivationResult, data: str | None = None) -> list[tuple[Run, Run]]:
        """Each training of an activation and the reference's of the same data and seed, where there is one."""
        of_reference = {
            (run.data, run.seed): run
            for other in self.activations
            if other.name == self.reference
            for run in other.runs
        }
        runs = result.runs if data is None else result.on(data)
        return [(run, of_reference[run.data, run.seed]) for run in runs if (run.data, run.seed) in of_reference]


def read_run(outcome: Outcome, evaluation: Evaluation) -> Run:
    """What a training left behind."""
    evaluated, rows = outcome.graded, outcome.rows
    layers = read_diagnostics(outcome.piece.run.diagnostics)
    last = max(row.epoch for row in layers)

    def mean(name: str) -> float:
        return statistics.fmean(row[name] for row in rows)

    return Run(
        data=outcome.piece.data.name,
        seed=outcome.piece.seed,
        epochs=[int(row["epoch"]) for row in evaluated],
        ap=[row["ap"] for row in evaluated],
        dead=[row["dead_units"] for row in evaluated],
        constant=[row["constant_units"] for row in evaluated],
        **{name: mean(name) for name in ("grad_norm", "clipped", "grad_spread")},
        dead_by_layer={row.layer: row.dead for row in layers if row.epoch == last and row.units},
        seconds=outcome.seconds,
        evaluation=evaluation,
    )
