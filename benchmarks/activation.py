"""Which activation: one preset trained with each of several, with all that speaks for and against them.

    python -m benchmarks.activation --data my_data --preset pico --epochs 60 --seeds 0 1 --jobs 2
    python -m benchmarks.activation --results runs/activation/results.json --docs docs

Trains, resumes and skips what is done as ``benchmarks/study.py`` says; exports every network; measures all of them in
turn on one thread; then writes ``results.json``, ``results.md`` and four pictures into ``--out``. ``--docs`` also puts
tables and pictures into the page ``leaky_relu.md`` of that folder.

An activation is a name of ``model.activation``; ``leaky_relu:0.2`` sets its slope as well.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from benchmarks import activation_plots
from benchmarks.graphs import Graph, Latency, export_best, race, read_race
from benchmarks.pages import fill_sections, table
from benchmarks.study import (
    Outcome,
    Study,
    Variant,
    add_arguments,
    common_settings,
    facts,
    mean_and_spread,
    read_outcomes,
    run_command,
    run_pieces,
    write_text,
)
from fusedet.configs.errors import InputError
from fusedet.configs.strict import StrictModel
from fusedet.model.config import ActivationName
from fusedet.train.diagnostics import read_diagnostics

__all__ = ["ActivationResult", "Results", "Run", "collect", "fill_page", "main", "parse_activation", "tables"]

ACTIVATIONS = ("leaky_relu:0.01", "leaky_relu:0.1", "leaky_relu:0.2", "relu", "prelu", "elu", "silu", "hardswish")
#: What the project builds its networks with: the others are compared with it, where it takes part.
REFERENCE = "leaky_relu:0.1"
#: Parts of the training after which dead units are reported.
POINTS = (0.1, 0.5, 1.0)
#: Parts of the reference's AP whose epochs tell how fast a network learns.
GOALS = (0.5, 0.9)
#: What the page says around its results, before there are any.
TEMPLATE = Path(__file__).with_suffix(".md")
PAGE, SECTION = "leaky_relu.md", "results"


class Run(StrictModel):
    """One training.

    Attributes:
        data: name of the data set.
        seed: of the training.
        epochs: numbers of the graded epochs; the lists of the same length belong to them.
        ap: AP50-95 after each.
        ap50: AP50 after each.
        dead: share of dead units after each, in 0..1.
        constant: share of constant units after each, in 0..1.
        grad_norm: norm of all gradients, averaged over the training.
        clipped: share of its steps whose gradients were clipped.
        grad_spread: standard deviation of the decimal logarithms of the layers' norms, averaged over the training.
        layers: share of dead units of each layer after the last epoch, in the network's order.
        seconds: that the training took.
    """

    data: str
    seed: int
    epochs: list[int]
    ap: list[float]
    ap50: list[float]
    dead: list[float]
    constant: list[float]
    grad_norm: float
    clipped: float
    grad_spread: float
    layers: dict[str, float]
    seconds: float

    @property
    def best(self) -> int:
        """Position of the best grade."""
        return max(range(len(self.ap)), key=self.ap.__getitem__)

    @property
    def mean_ap(self) -> float:
        """AP averaged over the training: the area under its curve."""
        return statistics.fmean(self.ap)

    def epochs_to(self, ap: float) -> int | None:
        """The first graded epoch that reached it."""
        return next((epoch for epoch, value in zip(self.epochs, self.ap, strict=True) if value >= ap), None)

    def dead_at(self, part: float) -> float:
        """Share of dead units after that part of the training, at the nearest graded epoch."""
        wanted = part * self.epochs[-1]
        return self.dead[min(range(len(self.epochs)), key=lambda i: abs(self.epochs[i] - wanted))]


class ActivationResult(StrictModel):
    """All trainings of one activation, and its exported graph."""

    name: str
    runs: list[Run]
    graph: Graph | None
    latency: Latency | None

    def on(self, data: str) -> list[Run]:
        """The trainings on one data set."""
        return [run for run in self.runs if run.data == data]


class Results(StrictModel):
    """The whole study, as ``results.json`` keeps it."""

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
        return statistics.fmean(run.ap[run.best] for run in runs) if runs else None


def parse_activation(text: str) -> Variant:
    """``leaky_relu:0.2`` as a variant of a study.

    Raises:
        InputError: there is no such activation, or it has no slope.
    """
    name, _, slope = text.partition(":")
    if name not in get_args(ActivationName):
        raise InputError(f"--activations: expected one of {', '.join(get_args(ActivationName))}, but got {name!r}")
    if not slope:
        return Variant(name, (f"model.activation={name}",))
    if name != "leaky_relu":
        raise InputError(f"--activations: only leaky_relu has a slope, but got {text!r}")
    return Variant(f"{name}-{slope}", (f"model.activation={name}", f"model.negative_slope={slope}"))


def collect(outcomes: Sequence[Outcome], names: dict[str, str]) -> list[ActivationResult]:
    """What the trainings left behind, activation by activation; ``names`` by name of the variant."""
    results = []
    for variant, name in names.items():
        runs = [_read_run(outcome) for outcome in outcomes if outcome.piece.variant.name == variant]
        if runs:
            results.append(ActivationResult(name=name, runs=runs, graph=None, latency=None))
    return results


def _read_run(outcome: Outcome) -> Run:
    graded, rows = outcome.graded, outcome.rows
    layers = read_diagnostics(outcome.piece.run.diagnostics)
    last = max(row.epoch for row in layers)

    def mean(name: str) -> float:
        return statistics.fmean(row[name] for row in rows)

    return Run(
        data=outcome.piece.data.name,
        seed=outcome.piece.seed,
        epochs=[int(row["epoch"]) for row in graded],
        **{name: [row[name] for row in graded] for name in ("ap", "ap50")},
        dead=[row["dead_units"] for row in graded],
        constant=[row["constant_units"] for row in graded],
        **{name: mean(name) for name in ("grad_norm", "clipped", "grad_spread")},
        layers={row.layer: row.dead for row in layers if row.epoch == last and row.units},
        seconds=outcome.seconds,
    )


def tables(results: Results) -> str:
    """The study in Markdown: how it was made, then tables."""
    parts = [_method(results)]
    for data in results.data:
        taking_part = [result for result in results.activations if result.on(data)]
        parts += [_accuracy_table(results, taking_part, data), _health_table(taking_part, data)]
    if any(result.graph for result in results.activations):
        parts.append(_graph_table(results))
    return "\n\n".join(parts) + "\n"


def _method(results: Results) -> str:
    seeds = sorted({run.seed for result in results.activations for run in result.runs})
    machine = ", ".join(f"{key} {value}" for key, value in results.machine.items())
    return (
        f"`{results.preset}` at {results.input_size[1]} x {results.input_size[0]} px, {results.epochs} epochs, seeds "
        f"{', '.join(map(str, seeds))}. Figures are means over the seeds, ± is their standard deviation. "
        f"Measured on: {machine}."
    )


def _accuracy_table(results: Results, activations: Sequence[ActivationResult], data: str) -> str:
    goal = results.reference_ap(data)
    reached = [f"epochs to {goal_part:.0%}" for goal_part in GOALS]
    header = [f"{data}: activation", "seeds", "AP", "AP50", *reached, "mean AP over the training", "training, s"]
    rows = []
    for result in activations:
        runs = result.on(data)
        epochs = [[None if goal is None else run.epochs_to(part * goal) for run in runs] for part in GOALS]
        rows.append(
            [
                result.name,
                str(len(runs)),
                _with_spread([run.ap[run.best] for run in runs]),
                _with_spread([run.ap50[run.best] for run in runs]),
                *map(_mean_epoch, epochs),
                _with_spread([run.mean_ap for run in runs]),
                f"{statistics.fmean(run.seconds for run in runs):.0f}",
            ]
        )
    note = f"Epochs to a part of the best AP of {results.reference}; – where a seed never came so far."
    return f"{table(header, rows)}\n\n{note}" if goal is not None else table(header, rows)


def _health_table(activations: Sequence[ActivationResult], data: str) -> str:
    points = [f"dead at {point:.0%}" if point < 1 else "dead at the end" for point in POINTS]
    header = [f"{data}: activation", *points, "constant at the end", "gradient norm", "clipped steps", "layers' spread"]

    def row(result: ActivationResult) -> list[str]:
        runs = result.on(data)

        def mean(value: Callable[[Run], float]) -> float:
            return statistics.fmean(value(run) for run in runs)

        return [
            result.name,
            *(_percent(statistics.fmean(run.dead_at(point) for run in runs)) for point in POINTS),
            _percent(mean(lambda run: run.constant[-1])),
            f"{mean(lambda run: run.grad_norm):.2f}",
            _percent(mean(lambda run: run.clipped)),
            f"{mean(lambda run: run.grad_spread):.2f}",
        ]

    return table(header, [row(result) for result in activations])


def _graph_table(results: Results) -> str:
    of_reference = f"of {results.reference}'s time"
    header = ["activation", "ms", of_reference, "fused in the file", "not", "standing when run", "reorders"]
    rows = []
    for result in results.activations:
        graph, latency = result.graph, result.latency
        if graph is None:
            continue
        times = ["", ""] if latency is None else [
            f"{latency.ms_min:.2f} ({latency.ms_median:.2f})",
            f"{latency.ratio_min:.2f} ({latency.ratio_median:.2f})",
        ]  # fmt: skip
        counts = (graph.inside, graph.outside, graph.standing, graph.reorders)
        rows.append([result.name, *times, *map(str, counts)])
    reasons = dict.fromkeys(result.graph.reason for result in results.activations if result.graph)
    said = "; ".join(reason for reason in reasons if reason)
    note = (
        f"One thread, all files in turn for {results.rounds} rounds; times are the minimum, in brackets the median. "
        "*Fused in the file* holds on every CPU; *standing when run* is what is left on this one at ONNX Runtime's "
        f"highest optimisation level.{f' Why some are not fused: {said}.' if said else ''}"
    )
    return f"{table(header, rows)}\n\n{note}"


def _with_spread(values: Sequence[float]) -> str:
    mean, spread = mean_and_spread(values)
    return f"{mean:.3f}" if math.isnan(spread) else f"{mean:.3f} ± {spread:.3f}"


def _mean_epoch(epochs: Sequence[int | None]) -> str:
    reached = [epoch for epoch in epochs if epoch is not None]
    return f"{statistics.fmean(reached):.1f}" if len(reached) == len(epochs) else "–"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def fill_page(page: Path, text: str, pictures: Sequence[Path]) -> None:
    """Replaces what stands between the markers of a Markdown page.

    Raises:
        InputError: the page is not there, or has no markers.
    """
    shown = "\n".join(
        f"![{activation_plots.TITLES[path.stem]}]({path.relative_to(page.parent).as_posix()})\n" for path in pictures
    )
    fill_sections(page, {SECTION: f"{text}\n{shown}"})


def publish(results: Results, out: Path, docs: Path | None) -> None:
    """Writes tables and pictures, and the results themselves."""
    write_text(out / "results.json", results.model_dump_json(indent=1) + "\n")
    write_text(out / "results.md", tables(results))
    activation_plots.draw_all(results, out)
    if docs is not None:
        if not (docs / PAGE).exists():
            write_text(docs / PAGE, TEMPLATE.read_text(encoding="utf-8"))
        fill_page(docs / PAGE, tables(results), activation_plots.draw_all(results, docs / "images"))


def study(args: argparse.Namespace) -> tuple[Results, list[str]]:
    """Trains, exports and measures; gives what there is, and what failed."""
    variants = {parse_activation(text): text for text in args.activations}
    names = {variant.name: text.replace(":", " ") for variant, text in variants.items()}
    common = (*common_settings(args), "train.diagnostics=true")
    pieces = Study(args.preset, tuple(variants), tuple(args.data), tuple(args.seeds), args.out, common).pieces()
    failures = [] if args.only_report else run_pieces(pieces, args.jobs, args.threads)
    outcomes = read_outcomes(pieces)
    if not outcomes:
        raise InputError(f"{args.out}: no training is finished yet")
    config = pieces[0].config
    wanted = REFERENCE if REFERENCE in args.activations else args.activations[0]
    results = Results(
        preset=args.preset,
        input_size=config.model.input_size,
        epochs=config.train.epochs,
        reference=wanted.replace(":", " "),
        rounds=args.rounds,
        machine=facts(),
        activations=collect(outcomes, names),
    )
    return _with_graphs(results, outcomes, names, args), failures


def _with_graphs(
    results: Results, outcomes: Sequence[Outcome], names: dict[str, str], args: argparse.Namespace
) -> Results:
    """The same with the graph and the latency of each activation's first training."""
    first = {names[outcome.piece.variant.name]: outcome for outcome in reversed(outcomes)}
    graphs = {result.name: export_best(first[result.name]) for result in results.activations}
    record = args.out / "latency.json"
    if args.only_report or results.reference not in graphs:
        latencies = read_race(record) or {}
    else:
        latencies = race(graphs, results.reference, record, size=results.input_size[0], rounds=args.rounds)
    activations = [
        result.model_copy(update={"graph": graphs[result.name], "latency": latencies.get(result.name)})
        for result in results.activations
    ]
    return results.model_copy(update={"activations": activations})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="pico", help="or a config file (default: %(default)s)")
    parser.add_argument("--activations", metavar="NAME[:SLOPE]", nargs="+", default=list(ACTIVATIONS))
    add_arguments(parser, out="runs/activation")
    parser.add_argument("--results", metavar="FILE", type=Path, help="only report what this results.json holds")
    parser.add_argument("--docs", metavar="DIR", type=Path, help="also make or fill DIR/leaky_relu.md and DIR/images")
    args = parser.parse_args()
    if args.docs is not None and not args.docs.is_dir():
        raise InputError(f"{args.docs}: no such folder")  # told before anything is trained
    failures: list[str] = []
    if args.results is not None:
        results = Results.model_validate_json(args.results.read_text(encoding="utf-8"))
        args.out = args.results.parent
    else:
        results, failures = study(args)
    publish(results, args.out, args.docs)
    print(f"\n{tables(results)}\n{args.out / 'results.md'} and its pictures are written", *failures, sep="\n")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(run_command("activation", main))
