"""How many pictures a second the presets learn from."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.book.chapters.chapter import Chapter, cell
from benchmarks.book.desk import Desk
from benchmarks.book.results import Record, Results, Row
from benchmarks.pages import table
from fusedet.configs.errors import InputError
from fusedet.train.digits import make_digits
from fusedet.train.run_folder import RunFolder

__all__ = ["CHAPTER"]

_VAL = 4


def measure(desk: Desk) -> list[Row]:
    """`fusedet train` on drawn digits, with so many threads of torch; the quickest epoch counts."""
    rows = []
    with tempfile.TemporaryDirectory(dir=desk.out) as folder:
        data = make_digits(Path(folder) / "digits", desk.plan.images, _VAL, (desk.plan.size, desk.plan.size))
        for preset in desk.presets:
            for threads in desk.plan.threads:
                rate = _rate(desk, preset, threads, data, Path(folder) / f"{preset}-{threads}")
                rows.append(Row(what={"model": preset, "threads": threads}, values={"images_per_s": rate}))
    return rows


def _rate(desk: Desk, preset: str, threads: int, data: Path, run: Path) -> float:
    plan = desk.plan
    settings = [f"data.root={data}", f"train.epochs={plan.epochs}", f"train.batch={plan.batch}", f"train.out={run}"]
    settings += [f"model.input_size={plan.size}", f"eval.every={plan.epochs}", "train.report=false"]
    command = [sys.executable, "-m", "fusedet.cli.main", "train", desk.presets[preset], *settings]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(f"{preset}: the training failed: {last}")
    return max(row["images_per_second"] for row in RunFolder(run).read_metrics())


def tabulate(record: Record, results: Results) -> str:
    """A row for each preset."""
    counts = list(dict.fromkeys(row.what["threads"] for row in record.rows))
    lines = []
    for preset in dict.fromkeys(row.what["model"] for row in record.rows):
        rows = [record.row(model=preset, threads=count) for count in counts]
        lines.append([str(preset), *(cell(row and row["images_per_s"], ".1f") for row in rows)])
    return table(["", *(f"pictures/s, {count} thread{'s' if count != 1 else ''}" for count in counts)], lines)


CHAPTER = Chapter("training", "", measure, tabulate, ("size", "threads", "images", "epochs", "batch"))
