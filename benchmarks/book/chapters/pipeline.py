"""What is added to the network: the letterbox, reading the outputs, and all that `fusedet run` does around them."""

import statistics
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.book.chapters.chapter import Chapter
from benchmarks.book.desk import Desk
from benchmarks.book.drawing import OURS, SHADES, THEIRS, figure, save
from benchmarks.book.results import Record, Results, Row
from benchmarks.camera.runtime import measure_cost
from benchmarks.pages import table
from fusedet.deploy import Detector

#: Cameras' images, ``(height, width)``.
_FRAMES_HW = ((480, 640), (720, 1280), (1080, 1920))
_STAGES = ("pre", "inference", "post")
_PRESET = "nano"


def measure(desk: Desk) -> list[Row]:
    """One thread; the call for three sizes of images in turn, then the whole pipeline against the bare session."""
    preset = _PRESET if _PRESET in desk.presets else next(iter(desk.presets))
    path = desk.network(preset).fused
    rows = _stages(path, preset, desk.plan.rounds)
    if find_spec("aiohttp") is None:
        desk.remarks.append("aiohttp is not installed (extra `web`): the pipeline with a viewer is left out.")
        return rows
    cost = measure_cost(path, 1, desk.plan.pipeline_rounds, desk.plan.pipeline_s)
    for name, rate in cost["frames_per_s"].items():
        values = {"frames_per_s": rate, "share_of_bare": cost["of_bare"][name]}
        rows.append(Row(what={"model": preset, "part": name}, values=values))
    return rows


def _stages(path: Path, preset: str, rounds: int) -> list[Row]:
    """Threshold 0: as many boxes as an image can have are read."""
    rng = np.random.default_rng(0)
    frames = {size: rng.integers(0, 256, (*size, 3), np.uint8) for size in _FRAMES_HW}
    detector = Detector(path, threads=1, score_threshold=0.0)
    times: dict[tuple[int, int], list[tuple[float, ...]]] = {size: [] for size in frames}
    for number in range(rounds + 5):
        for size, frame in frames.items():
            detector(frame)
            if number >= 5:  # the first ones lay out the memory
                times[size].append(tuple(getattr(detector.timings, stage) for stage in _STAGES))
    rows = []
    for (height, width), found in times.items():
        values = {}
        for stage, own in zip(_STAGES, zip(*found, strict=True), strict=True):
            values |= {f"{stage}_ms_min": min(own), f"{stage}_ms_median": statistics.median(own)}
        rows.append(Row(what={"model": preset, "frame": f"{width}x{height}"}, values=values))
    return rows


def tabulate(record: Record, results: Results) -> str:
    """Two tables."""
    calls = [row for row in record.rows if "frame" in row.what]
    lines = []
    for row in calls:
        cells = [f"{row[f'{s}_ms_min']:.2f} ({row[f'{s}_ms_median']:.2f})" for s in _STAGES]
        whole = sum(row[f"{s}_ms_min"] for s in _STAGES)
        lines.append([str(row.what["frame"]), *cells, f"{row['inference_ms_min'] / whole:.0%}"])
    parts = [table(["image", "letterbox, ms", "network, ms", "reading, ms", "the network's part"], lines)]
    rates = [
        [str(row.what["part"]), f"{row['frames_per_s']:.0f}", f"{row['share_of_bare']:.2f}"]
        for row in record.rows
        if "part" in row.what
    ]
    if rates:
        parts.append(table(["", "images/s", "of the bare session's"], rates))
    return "\n\n".join(parts)


def draw(record: Record, results: Results, path: Path) -> bool:
    """Stacked bars of the three sizes."""
    rows = [row for row in record.rows if "frame" in row.what]
    made, (axes,) = figure(6.4, 0.9 + 0.4 * len(rows))
    left = [0.0] * len(rows)
    for stage, label, color in zip(
        _STAGES, ("letterbox", "network", "reading"), (SHADES[0], OURS, THEIRS), strict=True
    ):
        widths = [row[f"{stage}_ms_min"] for row in rows]
        axes.barh(range(len(rows)), widths, left=left, color=color, label=label, height=0.6)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(rows)), [str(row.what["frame"]) for row in rows])
    axes.invert_yaxis()
    for place, end in enumerate(left):
        axes.annotate(f"{end:.1f}", (end, place), (4, 0), textcoords="offset points", va="center", fontsize=7.5)
    axes.set_xlim(0, 1.12 * max(left))
    axes.set_xlabel("ms for one image, one thread, minima", fontsize=8)
    axes.legend(fontsize=8, frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    save(made, path)
    return True


CHAPTER = Chapter(
    "pipeline",
    "Milliseconds of letterbox, network and reading, for three sizes of images",
    measure,
    tabulate,
    ("size", "rounds", "pipeline_rounds", "pipeline_s"),
    by_the_wall="times are too long, the pipeline's above all",
    draw=draw,
)
