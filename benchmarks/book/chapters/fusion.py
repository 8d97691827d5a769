"""What it gains to have activations inside convolutions in the file, at each of ONNX Runtime's optimisation levels."""

from pathlib import Path

import onnx

from benchmarks.book.chapters.chapter import Chapter, milliseconds
from benchmarks.book.desk import Desk
from benchmarks.book.drawing import OURS, figure, save
from benchmarks.book.results import Record, Results, Row
from benchmarks.pages import table
from benchmarks.speed.latency import open_session
from fusedet.deploy.bench.timing import random_feed
from fusedet.export import compare_latency

_LEVELS, _FORMS = ("basic", "extended", "all"), ("plain", "fused")


def measure(desk: Desk) -> list[Row]:
    """All presets, files and levels in turn, one thread, by that thread's own clock."""
    models = {}
    for preset in desk.presets:
        network = desk.network(preset)
        models |= {f"{preset} plain": onnx.load(network.plain), f"{preset} fused": onnx.load(network.fused)}
    feed = random_feed(open_session(str(network.fused), 1), desk.plan.size)  # the same for all presets
    rounds, loads = max(3, desk.plan.rounds // 2), max(2, desk.plan.rounds // 10)
    rows = []
    for found in compare_latency(models, feed, rounds=rounds, loads=loads):
        preset, form = found.model.split()
        values = {"ms_min": found.ms_min, "ms_median": found.ms_median, "load_ms": found.load_ms}
        rows.append(Row(what={"model": preset, "file": form, "level": found.level}, values=values))
    return rows


def tabulate(record: Record, results: Results) -> str:
    """A row for each preset and level."""
    lines = []
    for preset in dict.fromkeys(str(row.what["model"]) for row in record.rows):
        for level in _LEVELS:
            plain, fused = (record.row(model=preset, level=level, file=form) for form in _FORMS)
            if plain and fused:
                part = f"{fused['ms_min'] / plain['ms_min']:.2f} ({fused['ms_median'] / plain['ms_median']:.2f})"
                loads = [f"{row['load_ms']:.1f}" for row in (plain, fused)]
                times = [milliseconds(row, ".2f") for row in (plain, fused)]
                lines.append([f"{preset}, {level}", *times, part, *loads])
    return table(["", "plain, ms", "fused, ms", "fused / plain", "loading plain, ms", "loading fused, ms"], lines)


def draw(record: Record, results: Results, path: Path) -> bool:
    """A panel for each preset."""
    presets = list(dict.fromkeys(str(row.what["model"]) for row in record.rows))
    made, panels = figure(2.9 * len(presets), 2.9, len(presets))
    for axes, preset in zip(panels, presets, strict=True):
        for form, color, shift in (("plain", "#bbbbbb", -0.2), ("fused", OURS, 0.2)):
            rows = [record.row(model=preset, level=level, file=form) for level in _LEVELS]
            heights = [row["ms_median"] if row else 0.0 for row in rows]
            drawn = axes.bar([i + shift for i in range(len(_LEVELS))], heights, 0.38, color=color, label=form)
            axes.bar_label(drawn, fmt="%.1f", fontsize=7, padding=1)
        axes.set_xticks(range(len(_LEVELS)), _LEVELS)
        axes.set_title(preset, fontsize=9)
        axes.margins(y=0.12)
    panels[0].set_ylabel("ms, one thread, median", fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    made.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    save(made, path)
    return True


CHAPTER = Chapter(
    "fusion",
    "Milliseconds of the plain and the fused file at three optimisation levels",
    measure,
    tabulate,
    ("size", "rounds"),
    draw=draw,
)
