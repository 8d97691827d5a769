"""The figures of the accuracy benchmark: means over seeds and data sets, as tables and as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from statistics import mean, median
from typing import Any

from benchmarks.accuracy.trainings import PEERS, Job
from benchmarks.pages import table
from benchmarks.peers.ultralytics_models import HEADS
from fusedet.common.errors import InputError

#: Stands where a data set's name stands, for the mean of all of them.
MEAN = "mean"

FIGURES = ("ap", "ap50")
PACKAGES = ("fusedet", "torch", "onnxruntime", "opencv-python", "opencv-python-headless", "numpy", "ultralytics")

#: Milliseconds of each round by data set, model and head.
Times = Mapping[tuple[str, str, str], Sequence[float]]


@dataclass(frozen=True)
class Result:
    """A finished training: what is known of it, and the figures of each exported file by what its output needs
    (``HEADS``).

    A figure is None where the data set has no such object.
    """

    job: Job
    record: dict[str, Any]
    grades: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class Row:
    """One model with one head on one data set, or on the mean of all; ``grades`` are figures by seed."""

    data: str
    model: str
    head: str
    ms_min: float
    ms_median: float
    grades: dict[int, dict[str, float]]

    @property
    def is_peer(self) -> bool:
        """Whether it is Ultralytics'."""
        return self.model in PEERS

    def values(self, figure: str) -> list[float]:
        """Of each seed."""
        return [grade[figure] for grade in self.grades.values()]

    def mean(self, figure: str) -> float:
        """Over the seeds."""
        return mean(self.values(figure))


def rows_of(results: Iterable[Result], times: Times) -> list[Row]:
    """A row for each data set, model and head, in the order of ``times``."""
    grades: dict[tuple[str, str, str], dict[int, dict[str, float]]] = {key: {} for key in times}
    for result in results:
        for head, grade in result.grades.items():
            figures = {name: grade[name] or 0.0 for name in FIGURES}
            grades[result.job.data.name, result.job.model, head][result.job.seed] = figures
    return [Row(*key, min(ms), median(ms), grades[key]) for key, ms in times.items()]


def earlier_rows(content: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Row]:
    """The rows of single data sets that :func:`results_json` wrote; InputError where epochs or input size differ."""
    for name in ("epochs", "size"):
        if content["settings"][name] != settings[name]:
            raise InputError(f"--earlier: has {name} {content['settings'][name]}, but {settings[name]} is asked for")
    return [
        Row(
            *(row[name] for name in ("data", "model", "head", "ms_min", "ms_median")),
            {int(seed): {name: grade[name] for name in FIGURES} for seed, grade in row["grades"].items()},
        )
        for row in content["summary"]
        if row["data"] != MEAN
    ]


def joined(earlier: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """The rows of both, seeds of one row together; a training that is in both counts as it is in ``rows``.

    Times are only comparable within one run, so those of the earlier one stay where it has them.
    """
    found = {(row.data, row.model, row.head): row for row in earlier}
    for row in rows:
        before = found.setdefault((row.data, row.model, row.head), row)
        grades = dict(sorted((before.grades | row.grades).items()))
        found[row.data, row.model, row.head] = replace(before, grades=grades)
    return list(found.values())


def mean_rows(rows: Sequence[Row], sets: Sequence[str]) -> list[Row]:
    """A row for each model and head: the means of all data sets, for the seeds that were trained on each of them."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.model, row.head), []).append(row)
    means = []
    for (model, head), group in groups.items():
        seeds = set.intersection(*(set(row.grades) for row in group))
        if len(group) == len(sets) and seeds:
            grades = {
                seed: {name: mean(row.grades[seed][name] for row in group) for name in FIGURES}
                for seed in sorted(seeds)
            }
            times = mean(row.ms_min for row in group), mean(row.ms_median for row in group)
            means.append(Row(MEAN, model, head, *times, grades))
    return means


def results_json(
    results: Iterable[Result], rows: Iterable[Row], machine: dict[str, Any], settings: dict[str, Any]
) -> dict[str, Any]:
    """Everything, for other programs."""
    trainings = [
        {
            **{"model": result.job.model, "data": result.job.data.name, "seed": result.job.seed},
            **{"epochs": result.job.epochs, "size": result.job.size, "grades": result.grades},
            **result.record,
        }
        for result in results
    ]
    summary = [{**asdict(row), **{f"mean_{name}": row.mean(name) for name in FIGURES}} for row in rows]
    facts = {"machine": machine, "versions": dict(_versions()), "settings": settings}
    return {**facts, "summary": summary, "trainings": trainings}


def tables(results: Sequence[Result], rows: Sequence[Row]) -> str:
    """What people read: the comparison, then the trainings one by one."""
    sets = list(dict.fromkeys(row.data for row in rows))
    cells = {(row.model, row.head, row.data): row for row in rows}
    models = list(dict.fromkeys((row.model, row.head) for row in rows))
    comparison = [
        [model, head, _milliseconds(cells, model, head), *(_accuracy(cells.get((model, head, data))) for data in sets)]
        for model, head in models
    ]
    trainings = []
    for result in results:
        job, record = result.job, result.record
        speed = [f"{record['seconds']:.0f}", f"{record['images_per_second']:.1f}", str(record["best_epoch"])]
        grades = [_pair(result.grades.get(head), record.get("own_val", {}).get(head)) for head in HEADS]
        trainings.append([job.model, job.data.name, str(job.seed), *speed, *grades])
    return "\n".join(
        [
            "AP / AP50 on the validation images, mean over the seeds; in brackets the lowest and highest AP. ms: the",
            "quickest round, one thread, mean of the data sets, without the NMS that `nms` files need.",
            "",
            table(["model", "output", "ms", *sets], comparison, left=2),
            "",
            "AP of each training; after the stroke, what Ultralytics' own val says of its networks.",
            "",
            table(["model", "data", "seed", "s", "images/s", "best epoch", *HEADS], trainings, left=2),
            "",
        ]
    )


def _milliseconds(cells: Mapping[tuple[str, str, str], Row], model: str, head: str) -> str:
    return f"{mean(row.ms_min for (m, h, data), row in cells.items() if (m, h) == (model, head) and data != MEAN):.2f}"


def _accuracy(row: Row | None) -> str:
    if row is None:
        return ""
    values = row.values("ap")
    spread = f" ({min(values):.3f}-{max(values):.3f})" if len(values) > 1 else ""
    return f"{row.mean('ap'):.3f}{spread} / {row.mean('ap50'):.3f}"


def _pair(ours: Mapping[str, float | None] | None, theirs: Mapping[str, float] | None) -> str:
    """AP by the benchmark's grader and by Ultralytics'."""
    if ours is None:
        return ""
    return f"{ours['ap'] or 0:.3f}" + (f" / {theirs['ap']:.3f}" if theirs else "")


def _versions() -> Iterable[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
