"""Several trainings side by side: what they reached, what it cost, and which of their settings differ."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fusedet.common.errors import InputError
from fusedet.common.pages import render
from fusedet.configs.reader.validate import flatten
from fusedet.train.charts import color, line_chart
from fusedet.train.evaluation.report.figures.training import epoch_curve
from fusedet.train.evaluation.report.head import duration
from fusedet.train.evaluation.report.record import RunRecord, read_record
from fusedet.train.evaluation.report.write import evaluate_best, sets_of

#: Settings that differ between any two runs and say nothing.
_MEANINGLESS = {"train.out", "train.report"}


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs."""

    name: str  # short, and unlike the others'
    record: RunRecord
    per_class: dict[str, float]  # AP50-95 by class, of the best epoch; empty where it is not known


@dataclass(frozen=True)
class RunComparison:
    """The runs, in the order they were given in."""

    runs: tuple[ComparedRun, ...]  # two or more
    #: setting to its values, one for each run, where they are not all alike; a run that has no such setting has None
    differing: dict[str, list[Any]]
    same_images: bool  # all were evaluated on the same annotations; else their figures do not compare


def compare_runs(
    paths: Sequence[Path],
    *,
    by_class: bool = False,
    on_batch: Callable[[int], None] = lambda count: None,
) -> RunComparison:
    """Reads the runs in some folders, or those that some files are in.

    With ``by_class`` AP of each class too: where a checkpoint does not tell it, its validation images are looked at,
    and ``on_batch`` is called with the number of images after each batch. Raises InputError if fewer than two runs, the
    same one twice, or one that cannot be used.
    """
    if len(paths) < 2:
        raise InputError(f"expected two runs or more to compare, but got {len(paths)}")
    records = [read_record(path) for path in paths]
    folders = [record.run.path.resolve() for record in records]
    for folder in folders:
        if folders.count(folder) > 1:
            raise InputError(f"{folder}: this run is named twice")
    runs = tuple(
        ComparedRun(name, record, _per_class(record, on_batch) if by_class else {})
        for name, record in zip(short_names(folders), records, strict=True)
    )
    evaluated_on = {
        record.config.data.val_annotations and record.config.data.val_annotations.resolve() for record in records
    }
    return RunComparison(runs, _differing(records), len(evaluated_on) == 1)


def short_names(folders: Sequence[Path]) -> list[str]:
    """The parts of each path between what all of them begin with and what all of them end in."""
    parts = [folder.parts for folder in folders]
    ahead = len(_common(parts))
    behind = len(_common([one[ahead:][::-1] for one in parts]))
    names = ["/".join(one[ahead : len(one) - behind]) for one in parts]
    return [name or folder.name for name, folder in zip(names, folders, strict=True)]


def _common(sequences: Sequence[Sequence[str]]) -> list[str]:
    alike = takewhile(lambda step: len(set(step)) == 1, zip(*sequences, strict=False))
    return [step[0] for step in alike]


def _per_class(record: RunRecord, on_batch: Callable[[int], None]) -> dict[str, float]:
    if record.best is None:
        return {}
    known = record.best.meta.get("per_class")
    if not known:
        known = evaluate_best(record, sets_of(record)[1], on_batch).metrics.per_class
    return {name: float(figures[0]) for name, figures in known.items()}


def _differing(records: Sequence[RunRecord]) -> dict[str, list[Any]]:
    settings = [flatten(record.config.model_dump(mode="json"), open_lists=True) for record in records]
    keys = dict.fromkeys(key for one in settings for key in one if key not in _MEANINGLESS)
    values = {key: [one.get(key) for one in settings] for key in keys}
    return {key: found for key, found in values.items() if any(value != found[0] for value in found)}


#: Figure -> title of its chart, title of the axis, and the ends of that where they are known.
_CHARTS: dict[str, tuple[str, str, tuple[float, float] | None]] = {
    "ap": ("AP50-95 on the validation images", "AP50-95", (0.0, 1.0)),
    "ap50": ("AP50 on the validation images", "AP50", (0.0, 1.0)),
    "loss": ("Training loss", "loss", None),
    "box": ("Training loss of the boxes", "loss", None),
    "cls": ("Training loss of the classes", "loss", None),
    "lr": ("Learning rate", "learning rate", None),
}


def compare_page(comparison: RunComparison) -> str:
    """The page: one HTML file that needs nothing else."""
    runs = comparison.runs
    return render(
        Path(__file__).with_name("compare.html"),
        comparison=comparison,
        runs=runs,
        names=[(run.name, color(number)) for number, run in enumerate(runs)],
        colors=[color(number) for number in range(len(runs))],
        duration=duration,
        charts=_charts(runs),
        classes=list(dict.fromkeys(name for run in runs for name in run.per_class)),
        nan=float("nan"),
    )


def _charts(runs: tuple[ComparedRun, ...]) -> list[tuple[str, Markup]]:
    last = float(max(2, *(run.record.epochs_done for run in runs)))
    charts = []
    for key, (title, axis, span) in _CHARTS.items():
        curves = [epoch_curve(run.record.rows, key, run.name, color(i)) for i, run in enumerate(runs)]
        charts.append((title, line_chart(curves, "epoch", axis, (1.0, last), span, whole_x=True)))
    return charts
