"""How many images a second the presets learn from."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.book.chapters.chapter import Chapter, cell, in_threads, is_disturbed, thread_counts
from benchmarks.book.desk import Desk
from benchmarks.book.results import Record, Results, Row
from benchmarks.pages import table
from fusedet.common.errors import InputError
from fusedet.train.data.digits import make_digits
from fusedet.train.run_folder import RunFolder

_VAL = 4


def measure(desk: Desk) -> list[Row]:
    """`fusedet train` on drawn digits, with so many threads of torch.

    By the clock of the wall the quickest epoch counts. With one thread computing is counted as well: what the epochs
    after the first one take of all processes together, which other programs disturb little.
    """
    rows, plan = [], desk.plan
    with tempfile.TemporaryDirectory(dir=desk.out) as folder:
        data = make_digits(Path(folder) / "digits", plan.images, _VAL, (plan.size, plan.size))
        for preset in desk.presets:
            for threads in plan.threads:
                place = Path(folder) / f"{preset}-{threads}"
                rate, computed = _train(desk, preset, threads, data, place, plan.epochs)
                values: dict[str, float | None] = {"images_per_s": rate}
                if threads == 1:
                    _, first = _train(desk, preset, threads, data, place.with_suffix(".first"), 1)
                    more = computed - first
                    values["images_per_cpu_s"] = (plan.epochs - 1) * plan.images / more if more > 0 else None
                rows.append(Row(what={"model": preset, "threads": threads}, values=values))
    return rows


def _train(desk: Desk, preset: str, threads: int, data: Path, run: Path, epochs: int) -> tuple[float, float]:
    """Images a second in the quickest epoch, and seconds that all of its processes computed."""
    plan = desk.plan
    settings = [f"data.root={data}", f"train.epochs={epochs}", f"train.batch={plan.batch}", f"train.out={run}"]
    settings += [f"model.input_size={plan.size}", f"eval.every={epochs}", "train.report=false"]
    command = [sys.executable, "-m", "fusedet.cli.main", "train", desk.presets[preset], *settings]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    before = os.times()
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    after = os.times()
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(f"{preset}: the training failed: {last}")
    computed = after.children_user + after.children_system - before.children_user - before.children_system
    return max(row["images_per_second"] for row in RunFolder(run).read_metrics()), computed


def tabulate(record: Record, results: Results) -> str:
    """A row for each preset."""
    counts = [] if is_disturbed(record, results) else thread_counts(record, results)
    lines = []
    for preset in dict.fromkeys(row.what["model"] for row in record.rows):
        rows = [record.row(model=preset, threads=count) for count in counts]
        alone = record.row(model=preset, threads=1)
        computed = alone and alone.values.get("images_per_cpu_s")
        lines.append([str(preset), cell(computed, ".1f"), *(cell(row and row["images_per_s"], ".1f") for row in rows)])
    header = ["", "images for a second of computing"]
    return table([*header, *(f"images/s, {in_threads(count)}" for count in counts)], lines)


CHAPTER = Chapter(
    "training",
    "",
    measure,
    tabulate,
    ("size", "threads", "images", "epochs", "batch"),
    by_the_wall="rates by the clock of the wall are left out",
)
