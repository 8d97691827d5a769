"""AP of what has learned COCO's classes: the starter weights, their INT8 form, and the peers that the runtime reads."""

import hashlib
import tempfile
from itertools import islice
from pathlib import Path

from benchmarks.accuracy.pareto import draw_names_at_the_right
from benchmarks.book.chapters.chapter import Chapter, cell, name_of
from benchmarks.book.desk import Desk
from benchmarks.book.drawing import OURS, THEIRS, figure, save
from benchmarks.book.results import Record, Results, Row
from benchmarks.command import read_json, write_json
from benchmarks.pages import table
from fusedet.common.hashing import sha256
from fusedet.configs import starter
from fusedet.export import Int8Settings, export_onnx
from fusedet.export.graph.quantize import quantize
from fusedet.train.data.coco import load_coco
from fusedet.train.data.dataset import iterate_images
from fusedet.train.evaluation.evaluate import evaluate_model

#: Images on which INT8 measures its ranges.
_CALIBRATION = 100
_INT8 = " int8"


def measure(desk: Desk) -> list[Row]:
    """Grades file after file; one that was graded before is not graded again."""
    if desk.coco is None:
        desk.remarks.append("No COCO images at hand (`--coco`): nothing is graded.")
        return []
    trained = [name for name in starter.available() if name in desk.presets]
    missing = [name for name in desk.presets if name not in trained]
    if missing:
        desk.remarks.append(f"There are no weights of COCO for {', '.join(missing)} yet.")
    files = [(name, starter.starter_model(name), "fusedet") for name in trained]
    files += [(name + _INT8, _int8(desk, name), "fusedet") for name in trained]
    rows = [_grade(desk, name, desk.plan.size, path, by) for name, path, by in files]
    for peer in (peer for peer in desk.peers if peer.trained):
        if peer.ours:
            rows.append(_grade(desk, peer.name, peer.size, peer.path, "peer"))
        else:
            desk.remarks.append(f"{peer.name} is of a format that the runtime does not read: timed, not graded.")
    return rows


def _grade(desk: Desk, name: str, size: int, path: Path, by: str) -> Row:
    assert desk.coco is not None
    annotations = desk.coco / "annotations" / "val.json"
    digest = hashlib.sha256(path.read_bytes() + annotations.read_bytes()).hexdigest()[:16]
    record = desk.out / "graded" / f"{digest}.json"
    if not record.exists():
        desk.say(f"  grading {name} at {size} px")
        metrics = evaluate_model(path, annotations, desk.coco / "images")
        write_json(record, {"ap": metrics.ap, "ap50": metrics.ap50})
    return Row(what={"model": name, "size": size}, values=read_json(record), notes={"by": by})


def _int8(desk: Desk, name: str) -> Path:
    """The INT8 form of starter weights, all layers but the predicting ones on bytes."""
    assert desk.coco is not None
    checkpoint = starter.starter_checkpoint(name)
    digest = sha256(checkpoint)[:16]
    path = desk.out / "models" / "int8" / f"{name}-{digest}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset = load_coco(desk.coco / "annotations" / "train.json", desk.coco / "images")
        samples = islice(iterate_images(dataset), _CALIBRATION)
        calibration = {str(sample.image_id): image for sample, image in samples}
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            plain = export_onnx(checkpoint, Path(folder) / "plain.onnx").plain
            quantize(plain, Path(folder) / "int8.onnx", calibration, Int8Settings(images=_CALIBRATION)).path.rename(
                path
            )
    return path


def tabulate(record: Record, results: Results) -> str:
    """A row for each file."""
    lines = [
        [
            name_of(row),
            str(row.what["size"]),
            *(cell(row[name], ".3f") for name in ("ap", "ap50")),
        ]
        for row in record.rows
    ]
    return table(["model", "input", "AP50-95", "AP50"], lines)


def draw(record: Record, results: Results, path: Path) -> bool:
    """AP over milliseconds of one thread; what was not timed is left out."""
    timed = results.chapters.get("latency")
    points = []
    for row in record.rows if timed else ():
        time = timed.row(model=row.what["model"], size=row.what["size"], threads=1)
        if time is not None:
            points.append((time["ms_min"], row["ap"], f"{row.what['model']} {row.what['size']}", time.notes))
    if not points:
        return False
    made, (axes,) = figure(6.4, 4.2)
    for x, y, name, notes in points:
        ours, final = notes["by"] == "fusedet", notes["left"] == "nothing"
        color = OURS if ours else THEIRS
        axes.plot(x, y, "o" if ours else "s", color=color, markerfacecolor=color if final else "white", markersize=7)
        if ours:
            axes.annotate(name, (x, y), (7, -3), textcoords="offset points", fontsize=8, color=color)
    best, front = -1.0, []
    for x, y, *_ in sorted(points):
        if y > best:
            best = y
            front.append((x, y))
    axes.plot(*zip(*front, strict=True), color="#999999", lw=1, ls=":", zorder=0)
    axes.set_xlim(0, 1.5 * max(x for x, *_ in points))
    axes.set_ylim(0, 1.15 * max(y for _, y, *_ in points))
    peers = sorted((y, x, name) for x, y, name, notes in points if notes["by"] == "peer")
    draw_names_at_the_right(axes, {name: (x, y) for y, x, name in peers})
    axes.set_xlabel("ms, one thread, minimum (hollow: what its output still needs is not in it)", fontsize=8)
    axes.set_ylabel("AP50-95", fontsize=8)
    axes.grid(alpha=0.25)
    save(made, path)
    return True


CHAPTER = Chapter(
    "accuracy",
    "AP on COCO images over milliseconds for one image",
    measure,
    tabulate,
    ("size",),
    peers=True,
    draw=draw,
)
