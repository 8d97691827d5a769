"""Several trainings side by side: what they reached, what it cost, and which of their settings differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from fusedet.common.errors import InputError
from fusedet.configs.reader.validate import flat_settings
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
    """Reads the runs.

    Args:
        paths: run folders, or files in them.
        by_class: AP of each class too. Where the checkpoint does not tell it, its validation images are looked at.
        on_batch: called with the number of images after each batch of that.

    Raises:
        InputError: fewer than two runs, the same one twice, or one that cannot be used.
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


def _unfolded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with those that lists of sections hold each by itself, as ``model.stages.0.channels``."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            inner = {f"{key}.{i}.{name}": part for i, one in enumerate(value) for name, part in one.items()}
            found |= _unfolded(inner)
        else:
            found[key] = value
    return found


def _differing(records: Sequence[RunRecord]) -> dict[str, list[Any]]:
    settings = [_unfolded(flat_settings(record.config)) for record in records]
    keys = dict.fromkeys(key for one in settings for key in one if key not in _MEANINGLESS)
    values = {key: [one.get(key) for one in settings] for key in keys}
    return {key: found for key, found in values.items() if any(value != found[0] for value in found)}
