"""What the book has measured, as a file keeps it: rows of figures under names that say which way is better."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from benchmarks.command import facts, write_json
from fusedet.common.errors import InputError
from fusedet.common.machine import this_machine
from fusedet.configs.reader.strict import StrictModel

#: Raised by one when a reader of the older form would misread the newer one.
FORMAT_VERSION = 1
_KIND = "results of `python -m benchmarks.book`"

Label = dict[str, str | int]


class Row(StrictModel):
    """Figures of one thing.

    No two rows of a chapter are alike in ``what``; :func:`better` tells which way a figure is better; ``notes`` are
    words.
    """

    what: Label
    values: dict[str, float | None]
    notes: dict[str, str] = Field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        """A figure that was measured."""
        value = self.values[name]
        assert value is not None, f"{self.what}: no {name}"
        return value


class Record(StrictModel):
    """One chapter: when and how quietly it was measured, with which settings, the rows, and remarks on what was left
    out.
    """

    date: str
    seconds: float
    busy_elsewhere: float | None
    settings: dict[str, Any]
    rows: list[Row]
    remarks: list[str] = Field(default_factory=list)

    def row(self, **what: str | int) -> Row | None:
        """The first row of which this is true."""
        return next((row for row in self.rows if what.items() <= row.what.items()), None)


class Results(StrictModel):
    """The whole book; of a ``quick`` one the figures mean little."""

    format_version: Literal[1]
    quick: bool
    machine: dict[str, str | int | None]
    versions: dict[str, str]
    chapters: dict[str, Record] = Field(default_factory=dict)


def here(quick: bool) -> Results:
    """An empty book of this machine."""
    machine = asdict(this_machine())
    versions = machine.pop("versions")
    versions |= {name: text for name, text in facts().items() if name in ("torch", "commit")}
    return Results(format_version=FORMAT_VERSION, quick=quick, machine=machine, versions=versions)


def better(name: str) -> Literal["lower", "higher"] | None:
    """Which way a figure is better; None where it only describes."""
    if name.endswith(("_per_s", "_per_cpu_s")) or name in ("ap", "ap50"):
        return "higher"
    return "lower" if {"ms", "mb"} & set(name.split("_")) else None


def read_results(path: Path) -> Results:
    """Reads what :func:`write_results` has written; InputError where there is no such file, or it is something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    except ValueError as error:
        raise InputError(f"{path}: expected {_KIND}, but it is no JSON: {error}") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if not (isinstance(content, dict) and "chapters" in content):
        hint = " (a report of `fusedet bench` goes to `python -m benchmarks.boards`)" if "models" in content else ""
        raise InputError(f"{path}: expected {_KIND}, but it has no chapters{hint}")
    if version != FORMAT_VERSION:
        raise InputError(f"{path}: expected format_version {FORMAT_VERSION}, but got {version!r}")
    try:
        return Results.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {place}: {first['msg']}, but got {first['input']!r:.80}") from error


def rounded(results: Results) -> Results:
    """With five digits for each figure: what the file says and what tables are made from must be the same."""
    text = results.model_dump_json()
    return Results.model_validate(json.loads(text, parse_float=lambda number: float(f"{float(number):.5g}")))


def write_results(path: Path, results: Results) -> None:
    """Writes ``path`` wholly or not at all, with figures as :func:`rounded` has them."""
    write_json(path, rounded(results).model_dump())
