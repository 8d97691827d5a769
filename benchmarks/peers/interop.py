"""Whether this project and Ultralytics measure the same of one file: each reads the files of the other.

    pip install '.[train,desktop,ultralytics]'
    python -m benchmarks.peers.interop runs/nano-1/best.pt yolo11n.onnx --data bccd --out runs/interop

A checkpoint is exported as fusedet's own files are, and in both layouts of Ultralytics; an ONNX file, one of
Ultralytics', is taken as it is. Each is graded on the validation images by ``fusedet eval`` and, but for our own
layout, by Ultralytics' ``val``. The AP that ``val`` tells is of boxes that may reach beyond the image: it compares
them in pixels of the network's input, and clips them only afterwards. So two more columns stand beside it: COCO's AP of
the very detections that ``val`` saved, which are clipped, and ours of boxes that are not.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.command import read_json, run_command, write_json, write_text
from benchmarks.pages import table
from benchmarks.peers.ultralytics_models import is_installed, prepare_ultralytics
from benchmarks.peers.yolo_format import write_yolo_format
from fusedet.common.errors import InputError
from fusedet.deploy import Detections, Detector, Letterbox, letterbox, open_session
from fusedet.deploy.detector.formats import FusedetFile, UltralyticsFile, find_format
from fusedet.export import export_onnx
from fusedet.train.config import EvalConfig
from fusedet.train.data.coco import CocoDataset, load_coco
from fusedet.train.evaluation.evaluate import evaluate_predictor
from fusedet.train.evaluation.metrics import evaluate_detections

#: Points of AP, as the table and people have them.
_POINTS = 100


@dataclass(frozen=True)
class Row:
    """AP and AP50 of one file in 0..1, by ``fusedet eval`` and three times by Ultralytics; None where it cannot read
    it.
    """

    file: str
    layout: str
    ours: tuple[float, float]
    theirs: tuple[float, float] | None = None
    saved: tuple[float, float] | None = None
    unclipped: tuple[float, float] | None = None


@dataclass(frozen=True)
class Unclipped:
    """A place whose boxes come back as far beyond the image as the network says."""

    place: Letterbox

    def to_image(self, boxes_xyxy: ArrayLike) -> NDArray[np.float32]:
        """Boxes ``[N, 4]`` from input pixels to image pixels."""
        rows, columns = self.place.resized
        corner = np.array([self.place.left, self.place.top] * 2)
        zoom = np.array([self.place.width / columns, self.place.height / rows] * 2)
        return np.asarray((np.asarray(boxes_xyxy, np.float64) - corner) * zoom, np.float32)


class UnclippedFile(UltralyticsFile):
    """A file whose boxes are not clipped."""

    def prepare(self, image_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Unclipped]:
        """The letterboxed image."""
        canvas, place = letterbox(image_bgr, self.contract.input_size, self.contract.pad_value)
        return canvas, Unclipped(place)


def collect_files(models: Sequence[Path], out: Path) -> list[Path]:
    """ONNX files as they are; of a checkpoint, its exports: one file for each layout and branch.

    Raises:
        InputError: a file is missing, or not one that both projects know.
    """
    files = []
    for model in models:
        if model.suffix == ".onnx":
            kind = find_format(open_session(model), str(model))
            if not isinstance(kind, UltralyticsFile):
                raise InputError(f"{model}: expected a file in a layout of Ultralytics, but it is one of {kind}")
            files.append(model)
            continue
        for layout in ("fusedet", "ultralytics"):
            for nms in (False, True):
                place = out / f"{model.stem}-{layout}-{'nms' if nms else 'nms-free'}.onnx"
                files.append(export_onnx(model, place, nms=nms, layout=layout, overwrite=True).fused)
    return files


def grade_file(file: Path, dataset: CocoDataset, yolo_data: Path, out: Path) -> Row:
    session = open_session(file)
    config = EvalConfig()
    settings = {"score_threshold": config.score_threshold, "max_detections": config.max_detections, "one_label": False}
    detector = Detector(file, session=session, **settings)
    metrics = evaluate_predictor(detector, dataset)
    shapes = [list(output.shape) for output in session.get_outputs()]
    row = Row(file.name, " ".join(map(str, shapes)), (metrics.ap, metrics.ap50))
    if isinstance(detector.format, FusedetFile):
        return row
    folder = out / f"val-{file.stem}"
    theirs = in_process(validate, file, yolo_data, detector.input_size[0], folder)
    saved = evaluate_detections(dataset, read_saved(folder / "predictions.json", detector.names))
    detector.format = UnclippedFile(session, str(file))
    unclipped = evaluate_predictor(detector, dataset)
    return replace(row, theirs=theirs, saved=(saved.ap, saved.ap50), unclipped=(unclipped.ap, unclipped.ap50))


def in_process(function: Any, *arguments: Any) -> Any:
    """Calls ``function`` in a process of its own: Ultralytics changes settings of torch and OpenCV when imported."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def validate(file: Path, yolo_data: Path, size: int, folder: Path) -> tuple[float, float]:
    """AP and AP50 of Ultralytics' ``val`` with its own settings; its detections are left in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "val.log").open("w", encoding="utf-8") as log:
        sys.stdout = sys.stderr = log
        prepare_ultralytics(folder.parent / "ultralytics")
        from ultralytics import YOLO

        settings = {"imgsz": size, "device": "cpu", "workers": 0, "plots": False, "save_json": True, "split": "val"}
        place = {"project": str(folder.parent.resolve()), "name": folder.name, "exist_ok": True}
        box = YOLO(str(file), task="detect").val(data=str(yolo_data.resolve()), **settings, **place).box
        return float(box.map), float(box.map50)


def read_saved(path: Path, names: tuple[str, ...]) -> dict[int, Detections]:
    """Detections by image id, from the list that ``val`` saves: xywh in pixels of the image, classes from 1."""
    rows: dict[int, list[list[float]]] = {}
    for entry in read_json(path):
        x, y, width, height = entry["bbox"]
        line = [x, y, x + width, y + height, entry["score"], entry["category_id"] - 1]
        rows.setdefault(int(entry["image_id"]), []).append(line)
    found = {}
    for image_id, lines in rows.items():
        table = np.array(lines, np.float32)
        table = table[np.argsort(-table[:, 4], kind="stable")]
        found[image_id] = Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), names)
    return found


def results_table(rows: Sequence[Row]) -> str:
    """Markdown; AP / AP50 in points, differences of AP in points."""

    def points(pair: tuple[float, float] | None) -> str:
        return "-" if pair is None else f"{_POINTS * pair[0]:.1f} / {_POINTS * pair[1]:.1f}"

    def gap(pair: tuple[float, float] | None, other: tuple[float, float] | None) -> str:
        return "-" if pair is None or other is None else f"{_POINTS * (pair[0] - other[0]):+.2f}"

    heads = (
        "file",
        "output",
        "eval",
        "val",
        "COCO's AP of val's detections",
        "eval, not clipped",
        "COCO's - eval",
        "val - eval, not clipped",
    )
    lines = []
    for row in rows:
        grades = map(points, (row.ours, row.theirs, row.saved, row.unclipped))
        gaps = gap(row.saved, row.ours), gap(row.theirs, row.unclipped)
        lines.append([row.file, row.layout, *grades, *gaps])
    return table(heads, lines, left=2)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", metavar="MODEL", type=Path, nargs="+", help="checkpoint, or ONNX file of Ultralytics")
    parser.add_argument("--data", type=Path, required=True, help="images/ and annotations/{train,val}.json")
    parser.add_argument("--out", type=Path, default=Path("runs/interop"))
    args = parser.parse_args(arguments)
    if not is_installed():
        raise InputError("Ultralytics is not installed: pip install '.[ultralytics]'")
    dataset = load_coco(args.data / "annotations" / "val.json", args.data / "images")
    args.out.mkdir(parents=True, exist_ok=True)
    files = collect_files(args.models, args.out)
    yolo_data = write_yolo_format(args.data, args.out / f"{args.data.resolve().name}-yolo")
    rows = [grade_file(file, dataset, yolo_data, args.out) for file in files]
    text = results_table(rows)
    write_text(args.out / "results.md", text + "\n")
    write_json(args.out / "results.json", [asdict(row) for row in rows])
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("interop", main))
