"""Tables of the activation study in Markdown."""

import math
import statistics
from collections.abc import Callable, Sequence

from benchmarks.activation.results import ActivationResult, Results, Run
from benchmarks.evaluation import OutputAccuracy
from benchmarks.pages import table
from benchmarks.study import mean_and_spread

#: Parts of the training after which dead units are reported.
POINTS = (0.1, 0.5, 1.0)
#: Parts of the reference's AP whose epochs tell how fast a network learns.
GOALS = (0.5, 0.9)
_UNKNOWN = "–"


def tables(results: Results) -> str:
    """How the study was made, then what it found."""
    parts = [_method(results), _difference_table(results)]
    for data in results.data:
        taking_part = [result for result in results.activations if result.on(data)]
        parts += [
            _accuracy_table(taking_part, data),
            _learning_table(results, taking_part, data),
            _health_table(taking_part, data),
        ]
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


def _difference_table(results: Results) -> str:
    """AP above the reference's, over all data sets."""
    header = [
        f"all sets: AP above {results.reference}'s",
        "trainings",
        "without NMS",
        "better in",
        "with NMS",
        "better in",
    ]

    def cells(differences: Sequence[float]) -> list[str]:
        if not differences:
            return [_UNKNOWN, _UNKNOWN]
        return [_with_spread(differences, "+.3f"), f"{sum(d > 0 for d in differences)} of {len(differences)}"]

    rows = []
    for result in results.activations:
        if result.name == results.reference:
            continue
        pairs = results.pairs(result)
        without = [run.evaluation.nms_free.ap - other.evaluation.nms_free.ap for run, other in pairs]
        with_nms = [run.evaluation.nms.ap - other.evaluation.nms.ap for run, other in pairs]
        rows.append([result.name, str(len(result.runs)), *cells(without), *cells(with_nms)])
    note = "Each training is compared with that of the same data and seed; ± is over all of them."
    return f"{table(header, rows)}\n\n{note}"


def _accuracy_table(activations: Sequence[ActivationResult], data: str) -> str:
    outputs: tuple[tuple[str, Callable[[Run], OutputAccuracy]], ...] = (
        ("without NMS", lambda run: run.evaluation.nms_free),
        ("with NMS", lambda run: run.evaluation.nms),
    )
    figures = [f"{figure} {name}" for name, _ in outputs for figure in ("AP", "AP50", "duplicates")]

    def row(result: ActivationResult) -> list[str]:
        runs = result.on(data)
        cells = []
        for _, output in outputs:
            found = [output(run) for run in runs]
            cells += [
                _with_spread([one.ap for one in found]),
                _with_spread([one.ap50 for one in found]),
                _mean_percent([one.duplicates for one in found]),
            ]
        return [result.name, str(len(runs)), *cells]

    return table([f"{data}: accuracy", "seeds", *figures], [row(result) for result in activations])


def _learning_table(results: Results, activations: Sequence[ActivationResult], data: str) -> str:
    goal = results.reference_ap(data)
    reached = [f"epochs to {part:.0%}" for part in GOALS]
    of_reference = f"of {results.reference}'s time"
    header = [f"{data}: learning", *reached, "mean AP over the training", "training, s", of_reference]

    def row(result: ActivationResult) -> list[str]:
        runs = result.on(data)
        epochs = [[None if goal is None else run.epochs_to(part * goal) for run in runs] for part in GOALS]
        ratios = [run.seconds / other.seconds for run, other in results.pairs(result, data)]
        return [
            result.name,
            *map(_mean_epoch, epochs),
            _with_spread([run.mean_ap for run in runs]),
            f"{statistics.fmean(run.seconds for run in runs):.0f}",
            f"{statistics.fmean(ratios):.2f}" if ratios else _UNKNOWN,
        ]

    note = f"Epochs to a part of the best AP of {results.reference}; {_UNKNOWN} where a seed never came so far."
    return f"{table(header, [row(result) for result in activations])}\n\n{note}"


def _health_table(activations: Sequence[ActivationResult], data: str) -> str:
    points = [f"dead at {point:.0%}" if point < 1 else "dead at the end" for point in POINTS]
    header = [f"{data}: health", *points, "constant at the end", "gradient norm", "clipped steps", "layers' spread"]

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
    header = ["latency", "ms", of_reference, "fused in the file", "unfused", "unfused when run", "reorders"]
    rows = []
    for result in results.activations:
        graph, latency = result.graph, result.latency
        times = [_UNKNOWN] * 2 if latency is None else [
            f"{latency.ms_min:.2f} ({latency.ms_median:.2f})",
            f"{latency.ratio_min:.2f} ({latency.ratio_median:.2f})",
        ]  # fmt: skip
        counts = [_UNKNOWN] * 4 if graph is None else [
            str(count) for count in (graph.inside, graph.outside, graph.standing, graph.reorders)
        ]  # fmt: skip
        rows.append([result.name, *times, *counts])
    reasons = dict.fromkeys(result.graph.reason for result in results.activations if result.graph)
    said = "; ".join(reason for reason in reasons if reason)
    note = (
        f"One thread, all files in turn for {results.rounds} rounds; times are the minimum, in brackets the median. "
        "*Fused in the file* holds on every CPU; *unfused when run* is what this one computes by itself at ONNX "
        f"Runtime's highest optimisation level.{f' Why some are not fused: {said}.' if said else ''}"
    )
    return f"{table(header, rows)}\n\n{note}"


def _with_spread(values: Sequence[float], form: str = ".3f") -> str:
    mean, spread = mean_and_spread(values)
    return f"{mean:{form}}" if math.isnan(spread) else f"{mean:{form}} ± {spread:.3f}"


def _mean_epoch(epochs: Sequence[int | None]) -> str:
    reached = [epoch for epoch in epochs if epoch is not None]
    return f"{statistics.fmean(reached):.1f}" if len(reached) == len(epochs) else _UNKNOWN


def _mean_percent(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return _percent(statistics.fmean(known)) if known else _UNKNOWN


def _percent(share: float) -> str:
    return f"{share:.1%}"
