"""What each ingredient of the recipe is worth: a preset trained with one setting changed at a time.

    python -m benchmarks.ablation --data my_data --epochs 60 --seeds 0 1 --jobs 2
    python -m benchmarks.ablation --data my_data --epochs 60 --seeds 0 1 --jobs 2 giou mosaic-0

The variants are those of ``ablation.yaml`` beside this file, or of another file of that form; names on the command line
pick some, and the first of the file is always among them. Trains, resumes and skips what is done as
``benchmarks/study.py`` says. Each training is compared with that of the same seed under the first variant's settings.
Networks whose exported graph is another one are measured beside it. Writes ``results.json``, ``results.md`` and
``ablation.png``.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.ablation.graphs import Latency, export_best, race, read_race
from benchmarks.command import facts, run_command, write_text
from benchmarks.pages import table as markdown_table
from benchmarks.study import (
    Outcome,
    Study,
    Variant,
    add_arguments,
    common_settings,
    mean_and_spread,
    read_outcomes,
    run_pieces,
)
from fusedet.common.errors import InputError
from fusedet.configs.reader.loader import load_config, nearest
from fusedet.configs.reader.strict import StrictModel
from fusedet.configs.reader.validate import validate

PLAN = Path(__file__).with_name("ablation.yaml")
_COLORS = ("#1a6fb0", "#e08a00", "#2f9e5b", "#d1352b", "#8a4fb5")


class Plan(StrictModel):
    """The file of variants: name -> ``key=value`` settings over ``preset``."""

    preset: str
    variants: dict[str, list[str]]


class Run(StrictModel):
    """One training: the accuracy of its best epoch, and how long it took."""

    data: str
    seed: int
    ap: float
    ap50: float
    best_epoch: int
    seconds: float


class VariantResult(StrictModel):
    """All trainings of one variant; ``latency`` is None where the exported graph is that of the first variant."""

    name: str
    overrides: list[str]
    runs: list[Run]
    other_graph: bool
    latency: Latency | None


class Results(StrictModel):
    """The whole study, as ``results.json`` keeps it; the first variant is what the others are compared with."""

    preset: str
    input_size: tuple[int, int]
    epochs: int
    machine: dict[str, str]
    variants: list[VariantResult]

    @property
    def baseline(self) -> VariantResult:
        """What the others are compared with."""
        return self.variants[0]

    def differences(self, variant: VariantResult) -> list[tuple[str, float]]:
        """Data set and AP above the first variant's, for each data set and seed that both were trained with."""
        of_baseline = {(run.data, run.seed): run.ap for run in self.baseline.runs}
        pairs = [(run, of_baseline.get((run.data, run.seed))) for run in variant.runs]
        return [(run.data, run.ap - base) for run, base in pairs if base is not None]


def read_plan(path: Path, names: Sequence[str] = ()) -> Plan:
    """The variants of a file, or those of them that are asked for; the first one always.

    Raises:
        InputError: the file cannot be used, or has no such variant.
    """
    plan = validate(load_config(path), Plan)
    if not plan.variants:
        raise InputError(f"{path}: variants: expected at least one")
    for name in names:
        if name not in plan.variants:
            raise InputError(f"{path} has no variant {name!r}{nearest(name, plan.variants)}")
    first = next(iter(plan.variants))
    chosen = {name: plan.variants[name] for name in plan.variants if not names or name in (first, *names)}
    return plan.model_copy(update={"variants": chosen})


def collect(outcomes: Sequence[Outcome], variants: Sequence[Variant]) -> list[VariantResult]:
    """What the trainings left behind, in the order of the variants."""
    results = []
    for variant in variants:
        runs = [
            Run(
                data=outcome.piece.data.name,
                seed=outcome.piece.seed,
                ap=outcome.ap,
                ap50=outcome.ap50,
                best_epoch=int(outcome.best["epoch"]),
                seconds=outcome.seconds,
            )
            for outcome in outcomes
            if outcome.piece.variant.name == variant.name
        ]
        if runs:
            overrides = list(variant.overrides)
            results.append(
                VariantResult(name=variant.name, overrides=overrides, runs=runs, other_graph=False, latency=None)
            )
    return results


def table(results: Results) -> str:
    """The study in Markdown."""
    machine = ", ".join(f"{key} {value}" for key, value in results.machine.items())
    scatter = _scatter(results)
    method = (
        f"`{results.preset}` at {results.input_size[1]} x {results.input_size[0]} px, {results.epochs} epochs. AP is "
        f"the mean over data sets and seeds; differences are between trainings of the same data and seed, ± is their "
        f"standard deviation. Among the seeds of {results.baseline.name} itself the standard deviation is "
        f"{'not known' if math.isnan(scatter) else f'{scatter:.3f}'}. Measured on: {machine}."
    )
    header = ["variant", "settings", "trainings", "AP", "difference", "AP50", "of its latency", "of its training time"]
    rows = []
    base_seconds = statistics.fmean(run.seconds for run in results.baseline.runs)
    for variant in results.variants:
        cells = (
            variant.name,
            " ".join(f"`{override}`" for override in variant.overrides),
            str(len(variant.runs)),
            f"{statistics.fmean(run.ap for run in variant.runs):.3f}",
            "" if variant is results.baseline else _difference(results, variant),
            f"{statistics.fmean(run.ap50 for run in variant.runs):.3f}",
            _latency(variant),
            f"{statistics.fmean(run.seconds for run in variant.runs) / base_seconds:.2f}",
        )
        rows.append(cells)
    return f"{method}\n\n{markdown_table(header, rows, left=2)}\n"


def _difference(results: Results, variant: VariantResult) -> str:
    values = [value for _, value in results.differences(variant)]
    if not values:
        return ""
    mean, spread = mean_and_spread(values)
    return f"{mean:+.3f}" if math.isnan(spread) else f"{mean:+.3f} ± {spread:.3f}"


def _latency(variant: VariantResult) -> str:
    """A ratio to the first variant; the same graph takes the same time."""
    if not variant.other_graph:
        return "1"
    return "" if variant.latency is None else f"{variant.latency.ratio_min:.2f} ({variant.latency.ratio_median:.2f})"


def _scatter(results: Results) -> float:
    """Standard deviation of the first variant's AP over seeds, pooled over data sets; NaN where there is one seed."""
    by_data: dict[str, list[float]] = {}
    for run in results.baseline.runs:
        by_data.setdefault(run.data, []).append(run.ap)
    variances = [statistics.variance(values) for values in by_data.values() if len(values) > 1]
    return math.sqrt(statistics.fmean(variances)) if variances else math.nan


def draw(results: Results, path: Path) -> None:
    """A dot for each difference, a diamond for their mean; grey is the scatter of two seeds' difference."""
    rows = [(variant, results.differences(variant)) for variant in results.variants[1:]]
    rows = [(variant, pairs) for variant, pairs in rows if pairs]
    rows.sort(key=lambda row: statistics.fmean(value for _, value in row[1]))
    data = list(dict.fromkeys(run.data for run in results.baseline.runs))
    figure = Figure(figsize=(8, 1.3 + 0.25 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    scatter = _scatter(results) * math.sqrt(2)  # a difference of two trainings varies as both do
    if not math.isnan(scatter):
        axes.axvspan(
            -scatter, scatter, color="0.9", lw=0, label=f"two seeds of {results.baseline.name} (standard deviation)"
        )
    axes.axvline(0, color="0.4", lw=1)
    for color, name in zip(_COLORS * len(data), data, strict=False):
        dots = [(value, y) for y, (_, pairs) in enumerate(rows) for where, value in pairs if where == name]
        axes.plot(*zip(*dots, strict=True), "o", ms=5, alpha=0.6, color=color, mew=0, label=name) if dots else None
    means = [statistics.fmean(value for _, value in pairs) for _, pairs in rows]
    axes.plot(means, range(len(rows)), "D", ms=6, color="black", label="mean")
    axes.set_yticks(range(len(rows)), [variant.name for variant, _ in rows], fontsize=9)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.grid(axis="both", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"AP above {results.baseline.name}")
    figure.legend(loc="outside upper center", ncols=len(data) + 2, fontsize=8, frameon=False)
    figure.savefig(path, dpi=120)


def _with_latencies(results: Results, outcomes: Sequence[Outcome], args: argparse.Namespace) -> Results:
    """The same with what is known of the graphs: each different one is measured once."""
    first = {outcome.piece.variant.name: outcome for outcome in reversed(outcomes)}
    graphs = {variant.name: export_best(first[variant.name]) for variant in results.variants}
    prints = {name: graph.fingerprint for name, graph in graphs.items()}
    leaders = {fingerprint: name for name, fingerprint in reversed(prints.items())}  # fingerprint -> its first variant
    baseline, record = results.baseline.name, args.out / "latency.json"
    if args.only_report:
        latencies = read_race(record) or {}
    else:
        entries = {name: graphs[name] for name in sorted(leaders.values(), key=list(graphs).index)}
        latencies = race(entries, baseline, record, size=results.input_size[0], rounds=args.rounds)
    variants = [
        variant.model_copy(
            update={
                "other_graph": prints[variant.name] != prints[baseline],
                "latency": latencies.get(leaders[prints[variant.name]]),
            }
        )
        for variant in results.variants
    ]
    return results.model_copy(update={"variants": variants})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", metavar="VARIANT", nargs="*", help="only these, and the first of the file")
    parser.add_argument("--plan", metavar="FILE", type=Path, default=PLAN, help="of variants (default: %(default)s)")
    parser.add_argument("--preset", help="or a config file; default: that of the plan")
    add_arguments(parser, out="runs/ablation")
    args = parser.parse_intermixed_args()
    plan = read_plan(args.plan, args.variants)
    variants = tuple(Variant(name, tuple(overrides)) for name, overrides in plan.variants.items())
    preset = args.preset or plan.preset
    study = Study(preset, variants, tuple(args.data), tuple(args.seeds), args.out, common_settings(args))
    pieces = study.pieces()
    failures = [] if args.only_report else run_pieces(pieces, args.jobs, args.threads)
    outcomes = read_outcomes(pieces)
    if variants[0].name not in {outcome.piece.variant.name for outcome in outcomes}:
        raise InputError(f"{args.out}: no training of {variants[0].name} is finished yet")
    config = pieces[0].config
    results = Results(
        preset=preset,
        input_size=config.model.input_size,
        epochs=config.train.epochs,
        machine=facts(),
        variants=collect(outcomes, variants),
    )
    results = _with_latencies(results, outcomes, args)
    write_text(args.out / "results.json", results.model_dump_json(indent=1) + "\n")
    write_text(args.out / "results.md", table(results))
    draw(results, args.out / "ablation.png")
    print(f"\n{table(results)}\n{args.out / 'results.md'} and ablation.png are written", *failures, sep="\n")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(run_command("ablation", main))
