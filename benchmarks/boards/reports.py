"""Reports of ``fusedet bench --json`` from many boards: what is kept of them, and their table."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from benchmarks.command import write_json
from benchmarks.pages import table
from fusedet.common.errors import InputError
from fusedet.configs.reader.strict import StrictModel

FOLDER = Path(__file__).parent
#: From this part of the cores on that other programs kept busy, a report says so.
_BUSY = 0.25
_STAGES = ("inference", "total")


class Run(StrictModel):
    """One model: milliseconds of one image, of the network with its decoding, of a whole call, and of computing in all
    threads.
    """

    model: str
    input: str
    threads: int
    network_ms: dict[Literal["min", "p50"], float]
    call_ms: dict[Literal["min", "p50"], float]
    computing_ms: float
    frames_per_s: float
    resident_mb: float | None
    unsteady: bool


class Report(StrictModel):
    """What is kept of a board: the machine, whether other programs were busy, and a run for each model."""

    added: str
    board: str
    cores: int
    vector: str
    memory_mb: int | None
    versions: dict[str, str]
    busy: bool
    runs: list[Run]


def to_report(path: Path) -> Report:
    """Takes from a report of ``fusedet bench`` what the table needs; nothing of its paths.

    Raises:
        InputError: it is something else, or was measured at a camera's pace.
    """
    content = _read(path)
    kind = "a report of `fusedet bench MODEL --json FILE`"
    if not isinstance(content, dict) or content.get("format_version") not in (1, 2) or "machine" not in content:
        raise InputError(f"{path}: expected {kind}")
    paced = [one for one in content.get("models", ()) if isinstance(one, dict) and one.get("fps") is not None]
    if paced:
        raise InputError(f"{path}: was measured with --fps: the table needs what the board can do without it")
    try:
        machine, load = content["machine"], content["load_before"]
        runs = [_run(one) for one in content["models"]]
        if not runs:
            raise InputError(f"{path}: has no models in it")
        return Report(
            added=date.today().isoformat(),
            board=machine["board"] or machine["cpu"],
            cores=machine["cores"],
            vector=machine["vector"],
            memory_mb=machine["memory_mb"],
            versions=machine["versions"],
            busy=load is not None and load > _BUSY * machine["cores"],
            runs=runs,
        )
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path}: expected {kind}, but {error} is missing or of another kind") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: expected {kind}, but {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def add_report(path: Path, folder: Path = FOLDER, name: str | None = None, *, replace: bool = False) -> Path:
    """Keeps a report of ``fusedet bench`` under a name; gives its file.

    Raises:
        InputError: it cannot be used, or a board of this name is there and ``replace`` was not said.
    """
    report = to_report(path)
    name = name or _slug(report.board)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise InputError(f"--name must be of small letters, digits, dots and hyphens, but got {name!r}")
    target = folder / f"{name}.json"
    if target.exists() and not replace:
        raise InputError(f"{target}: is already there; --force replaces it, --name NAME keeps both")
    write_json(target, report.model_dump())
    return target


def read_reports(folder: Path = FOLDER) -> list[Report]:
    """All that were added, the quickest board first.

    Raises:
        InputError: a file is not what :func:`add_report` writes.
    """
    reports = []
    for path in sorted(folder.glob("*.json")):
        try:
            reports.append(Report.model_validate(_read(path)))
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return sorted(reports, key=lambda report: min(run.network_ms["min"] for run in report.runs))


def boards_table(reports: list[Report]) -> str:
    """A row for each board and model, in Markdown."""
    header = ["board", "cores", "ONNX Runtime", "model", "input", "threads", "network, ms", "whole call, ms"]
    header += ["computing, ms", "images/s", "memory, MB"]
    lines = []
    for report in reports:
        for run in report.runs:
            star = "*" if report.busy or run.unsteady else ""
            memory = "-" if run.resident_mb is None else f"{run.resident_mb:.0f}"
            runtime = report.versions.get("onnxruntime", "-")
            cells = [report.board, f"{report.cores} ({report.vector})", runtime, run.model]
            cells += [run.input, str(run.threads), _pair(run.network_ms), _pair(run.call_ms) + star]
            lines.append([*cells, f"{run.computing_ms:.1f}", f"{run.frames_per_s:.0f}{star}", memory])
    return table(header, lines, left=5) if lines else "No board was added yet."


def _pair(milliseconds: dict[Any, float]) -> str:
    return f"{milliseconds['min']:.1f} ({milliseconds['p50']:.1f})"


def _run(content: dict[str, Any]) -> Run:
    height, width = content["input_size"]
    times = {name: {key: round(content["milliseconds"][name][key], 3) for key in ("min", "p50")} for name in _STAGES}
    startup = content["startup"]
    resident = None if startup is None else startup["resident_mb"]
    return Run(
        model=re.split(r"[/\\]", content["model"])[-1],
        input=str(width) if width == height else f"{width} x {height}",
        threads=content["threads"],
        network_ms=times["inference"],
        call_ms=times["total"],
        computing_ms=round(content["cpu_ms_per_frame"], 3),
        frames_per_s=round(content["frames_per_s"], 1),
        resident_mb=None if resident is None else round(resident, 1),
        unsteady=content["unsteady"],
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from error


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "board"
