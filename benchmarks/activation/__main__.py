"""Which activation: one preset trained with each of several, with all that speaks for and against them.

    python -m benchmarks.activation --data my_data --preset pico --epochs 60 --seeds 0 1 --jobs 2
    python -m benchmarks.activation --data my_data --preset pico --epochs 60 --seeds 0 1 --activations sigmoid tanh
    python -m benchmarks.activation --results runs/activation/results.json --docs docs

Trains, resumes and skips what is done as ``benchmarks/study.py`` says; evaluates and exports every network; measures
all of them in turn on one thread; then writes ``results.json``, ``results.md`` and plots into ``--out``.

``--activations`` chooses which are trained in this call; the report is about all that have been trained in ``--out``
with these data and seeds. ``--only-report`` makes it of a study that was stopped. ``--docs`` also puts tables and plots
into the page ``leaky_relu.md`` of that folder.

An activation is a name of ``model.activation``; ``leaky_relu:0.2`` sets its slope as well.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from benchmarks.ablation.graphs import Graph, export_best, race, read_race
from benchmarks.activation import plots as activation_plots
from benchmarks.activation.results import ActivationResult, Results, read_run
from benchmarks.activation.tables import tables
from benchmarks.command import facts, run_command, write_text
from benchmarks.evaluation import evaluate_best
from benchmarks.pages import fill_sections
from benchmarks.study import Outcome, Study, Variant, add_arguments, common_settings, read_outcomes, run_pieces
from fusedet.common.errors import InputError
from fusedet.export import ExportError
from fusedet.model.config import ActivationName

ACTIVATIONS = (
    "leaky_relu:0.01",
    "leaky_relu:0.1",
    "leaky_relu:0.2",
    "relu",
    "prelu",
    "elu",
    "silu",
    "hardswish",
    "sigmoid",
    "tanh",
)
#: What the project builds its networks with: the others are compared with it, where it takes part.
REFERENCE = "leaky_relu:0.1"
PAGE, SECTION = "leaky_relu.md", "results"


def parse_activation(text: str) -> Variant:
    """``leaky_relu:0.2`` as a variant of a study; InputError where there is no such activation, or it has no slope."""
    name, _, slope = text.partition(":")
    if name not in get_args(ActivationName):
        raise InputError(f"--activations: expected one of {', '.join(get_args(ActivationName))}, but got {name!r}")
    if not slope:
        return Variant(name, (f"model.activation={name}",))
    if name != "leaky_relu":
        raise InputError(f"--activations: only leaky_relu has a slope, but got {text!r}")
    return Variant(f"{name}-{slope}", (f"model.activation={name}", f"model.negative_slope={slope}"))


def all_activations(asked: Sequence[str], data: Sequence[Path], out: Path) -> list[str]:
    """Those asked for and those that earlier calls have begun in ``out``, in the order of :data:`ACTIVATIONS`."""
    begun = sorted(
        folder.parent.name.replace("-", ":") for path in data for folder in (out / path.name).glob("*/seed-*")
    )
    together = list(dict.fromkeys([*asked, *begun]))
    return [
        *(text for text in ACTIVATIONS if text in together),
        *(text for text in together if text not in ACTIVATIONS),
    ]


def collect(outcomes: Sequence[Outcome], names: Mapping[str, str]) -> list[ActivationResult]:
    """What the trainings left behind, activation by activation; ``names`` by name of the variant."""
    results = []
    for variant, name in names.items():
        runs = [
            read_run(outcome, evaluate_best(outcome)) for outcome in outcomes if outcome.piece.variant.name == variant
        ]
        if runs:
            results.append(ActivationResult(name=name, runs=runs))
    return results


def fill_page(page: Path, text: str, plots: Sequence[Path]) -> None:
    """Replaces what stands between the markers of a Markdown page."""
    shown = "\n".join(
        f"![{activation_plots.TITLES[path.stem]}]({path.relative_to(page.parent).as_posix()})\n" for path in plots
    )
    fill_sections(page, {SECTION: f"{text}\n{shown}"})


def publish(results: Results, out: Path, docs: Path | None) -> None:
    """Writes tables and plots, and the results themselves."""
    write_text(out / "results.json", results.model_dump_json(indent=1) + "\n")
    write_text(out / "results.md", tables(results))
    activation_plots.draw_all(results, out)
    if docs is not None:
        fill_page(docs / PAGE, tables(results), activation_plots.draw_all(results, docs / "images"))


def study(args: argparse.Namespace) -> tuple[Results, list[str]]:
    """Trains what is asked for; gives the results of all that has been trained, and what failed."""
    texts = all_activations(args.activations, args.data, args.out)
    variants = {text: parse_activation(text) for text in texts}
    common = (*common_settings(args), "train.diagnostics=true")
    plan = Study(args.preset, tuple(variants.values()), tuple(args.data), tuple(args.seeds), args.out, common)
    pieces = plan.pieces()
    asked = [piece for piece in pieces if piece.variant in [variants[text] for text in args.activations]]
    failures = [] if args.only_report else run_pieces(asked, args.jobs, args.threads)
    outcomes = read_outcomes(pieces)
    if not outcomes:
        raise InputError(f"{args.out}: no training is finished yet")
    names = {variant.name: text.replace(":", " ") for text, variant in variants.items()}
    config = pieces[0].config
    results = Results(
        preset=args.preset,
        input_size=config.model.input_size,
        epochs=config.train.epochs,
        reference=(REFERENCE if REFERENCE in texts else texts[0]).replace(":", " "),
        rounds=args.rounds,
        machine=facts(),
        activations=collect(outcomes, names),
    )
    return _with_graphs(results, outcomes, names, args), failures


def _with_graphs(
    results: Results, outcomes: Sequence[Outcome], names: Mapping[str, str], args: argparse.Namespace
) -> Results:
    """The same with the graph and the latency of each activation."""
    graphs = {}
    for result in results.activations:
        graph = _graph([outcome for outcome in outcomes if names[outcome.piece.variant.name] == result.name])
        if graph is not None:
            graphs[result.name] = graph
    record = args.out / "latency.json"
    if args.only_report or results.reference not in graphs:
        latencies = read_race(record) or {}
    else:
        latencies = race(graphs, results.reference, record, size=results.input_size[0], rounds=args.rounds)
    activations = [
        result.model_copy(update={"graph": graphs.get(result.name), "latency": latencies.get(result.name)})
        for result in results.activations
    ]
    return results.model_copy(update={"activations": activations})


def _graph(outcomes: Sequence[Outcome]) -> Graph | None:
    """The graph of the first training that can be exported: all have the same.

    One that has learned nothing may give scores so nearly equal that the export cannot be verified.
    """
    for outcome in outcomes:
        try:
            return export_best(outcome)
        except ExportError as error:
            print(f"{outcome.piece}: not exported: {error}")
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="pico", help="or a config file (default: %(default)s)")
    parser.add_argument(
        "--activations",
        metavar="NAME[:SLOPE]",
        nargs="+",
        default=list(ACTIVATIONS),
        help=f"those to train in this call (default: {' '.join(ACTIVATIONS)})",
    )
    add_arguments(parser, out="runs/activation")
    parser.add_argument("--results", metavar="FILE", type=Path, help="only report what this results.json holds")
    parser.add_argument("--docs", metavar="DIR", type=Path, help="also fill DIR/leaky_relu.md and DIR/images")
    args = parser.parse_args()
    if args.docs is not None and not (args.docs / PAGE).is_file():
        raise InputError(f"--docs {args.docs}: has no {PAGE} to fill")  # told before anything is trained
    failures: list[str] = []
    if args.results is not None:
        results = Results.model_validate_json(args.results.read_text(encoding="utf-8"))
        args.out = args.results.parent
    else:
        results, failures = study(args)
    publish(results, args.out, args.docs)
    print(f"\n{tables(results)}\n{args.out / 'results.md'} and its plots are written", *failures, sep="\n")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(run_command("activation", main))
