"""Trains the starter weights, exports and evaluates them, and writes their model card.

    python -m benchmarks.starter nano pico --coco ../shared/data/coco80 --pool ../shared/data/pool \\
        --pool ../shared/data/pool2 --peer ../shared/peers/picodet_s_320_coco.onnx

The recipe is ``starter.yaml`` beside this file, in which ``{weights}`` is the folder of the starter weights that ship.
A round that is finished is not trained again, one that was interrupted goes on. With ``--publish`` the best weights so
far of the presets are copied into the package, without anything that tells of the machine they come from; exported
beside them; evaluated, and the other detectors too, on the validation images; and the card,
``configs/weights/README.md``, is written from what was measured.
"""

import argparse
import json
import math
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import onnx
import yaml

from benchmarks.command import facts, run_command, write_json, write_text
from benchmarks.starter.curve import CURVES, curve_of, draw_curves, read_curves
from fusedet.common.errors import InputError
from fusedet.configs import starter
from fusedet.configs.reader.loader import preset_names
from fusedet.configs.starter import StarterModel
from fusedet.deploy import Detections, Detector
from fusedet.deploy.bench.timing import time_files
from fusedet.export import export_onnx
from fusedet.export.graph.half import halve_weights
from fusedet.model import count_parameters
from fusedet.model.checkpoint import Checkpoint, load_checkpoint, load_detector, save_checkpoint
from fusedet.train.config import EvalConfig, load_train_config
from fusedet.train.data.coco import CocoDataset, load_coco
from fusedet.train.evaluation import metrics
from fusedet.train.evaluation.evaluate import find_objects, load_predictor
from fusedet.train.evaluation.operating_point import class_thresholds, operating_point
from fusedet.train.loop.start import resume, train
from fusedet.train.run_folder import RunFolder

RECIPE = Path(__file__).with_name("starter.yaml")
SHIPPED = "{weights}"
CARD_FRAME = Path(__file__).with_name("starter.md")
WEIGHTS = Path(starter.__file__).with_name("weights")
CURVE_IMAGE = Path(__file__).parents[2] / "docs" / "images" / "starter-curve.png"
#: What cameras watch for.
CAMERA_CLASSES = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "bird", "cat", "dog")
#: What the card says the networks learned from.
DATA = (
    "2,224 COCO photographs with their labels and 1,898 everyday photographs that detectors labelled; the last "
    "rounds of each from 12,658 more of these"
)


def read_rounds(preset: str, path: Path = RECIPE) -> list[list[str]]:
    """The settings of each round of a preset, as ``key=value``; lists within a round are opened."""
    recipes = yaml.safe_load(path.read_text(encoding="utf-8"))["rounds"]
    rounds = recipes.get(preset, recipes["default"])
    return [[one for item in items for one in (item if isinstance(item, list) else [item])] for items in rounds]


def with_places(rounds: list[list[str]]) -> list[list[str]]:
    """The rounds with ``{weights}`` filled."""
    return [[setting.replace(SHIPPED, str(WEIGHTS)) for setting in settings] for settings in rounds]


def train_rounds(name: str, coco: Path, pools: Sequence[Path], out: Path, rounds: list[list[str]]) -> bool:
    """Trains what is missing of a preset's (or config file's) rounds. False when it was interrupted."""
    before: Path | None = None
    for number, settings in enumerate(rounds, start=1):
        run = RunFolder(out / Path(name).stem / f"round-{number}")
        if run.last.exists():
            result = resume(run.path)
        else:
            print(f"{Path(name).stem}: round {number} of {len(rounds)}", flush=True)
            shutil.rmtree(run.path, ignore_errors=True)  # of a training that was killed before its first step
            places = [f"data.root={coco}", f"train.out={run.path}", *([f"train.init={before}"] if before else [])]
            places.append(f"data.extra_train=[{', '.join(map(_as_extra_set, pools))}]")
            result = train(load_train_config(name, [*settings, *places]), name)
        if not result.finished:
            return False
        before = run.best
    return True


def _as_extra_set(pool: Path) -> str:
    return f"{{annotations: {pool / 'annotations' / 'train.json'}, images: {pool / 'images'}}}"


def latest_best(name: str, out: Path) -> Path:
    """The best weights of the last round that has any; InputError where none has."""
    found = sorted((out / name).glob("round-*/best.pt"), key=lambda path: int(path.parent.name.removeprefix("round-")))
    if not found:
        raise InputError(f"{out / name}: expected round-1/best.pt of a training, but there is none")
    return found[-1]


def strip(checkpoint: Checkpoint) -> Checkpoint:
    """Without paths: averaged weights, and what is true of them anywhere; kernels in half precision, half as large."""
    keep = ("names", "model", "epoch", "metrics", "fusedet_version", "torch_version")
    meta = {key: checkpoint.meta[key] for key in keep}
    # Variances of BatchNorm may be smaller than half precision knows: only what convolves is rounded.
    ema = {name: value.half() if value.ndim == 4 else value for name, value in checkpoint.state["ema"].items()}
    return Checkpoint({**meta, "data": DATA}, {"ema": ema})


def publish(name: str, checkpoint: Path, folder: Path = WEIGHTS) -> None:
    """Copies the weights into the package and exports them."""
    folder.mkdir(parents=True, exist_ok=True)
    stripped = strip(load_checkpoint(checkpoint))
    save_checkpoint(folder / f"{name}.pt", stripped.state, stripped.meta)
    export(name, folder)


def export(name: str, folder: Path = WEIGHTS) -> None:
    """Exports weights of the package, as ``fusedet export`` does by default, and stores them in half precision."""
    with tempfile.TemporaryDirectory() as work:
        result = export_onnx(folder / f"{name}.pt", Path(work) / f"{name}.onnx")
        onnx.save(halve_weights(onnx.load(result.fused)), folder / f"{name}.fused.onnx")


def figures(dataset: CocoDataset, found: Mapping[int, Detections]) -> dict[str, Any]:
    """Of what a file found, as JSON has them: null where the data has no such object."""

    def number(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)

    result = metrics.evaluate_detections(dataset, found)
    return {
        **{key: number(value) for key, value in result.summary().items()},
        "per_class": {key: number(ap) for key, (ap, _) in result.per_class.items()},
        "thresholds": {key: number(value) for key, value in class_thresholds(dataset, found).items()},
        "operating_point": operating_point(dataset, found).as_dict(),
    }


def evaluate(model: Path, coco: Path, *, nms: bool = True) -> dict[str, Any]:
    """A file on the validation images; ``nms`` says which output of a checkpoint."""
    print(f"evaluating {model}{'' if nms else ' NMS-free'}", flush=True)
    predictor, dataset = (
        load_predictor(model, EvalConfig(nms=nms)),
        load_coco(coco / "annotations" / "val.json", coco / "images"),
    )
    return figures(dataset, find_objects(predictor, dataset))


def measure(names: Sequence[str], peers: Sequence[Path], coco: Path) -> dict[str, Any]:
    """Everything the card says: each preset's exported file, the NMS-free output, and other detectors."""
    results: dict[str, Any] = {"date": date.today().isoformat(), "facts": facts(), "presets": {}, "peers": {}}
    for name in names:
        results["presets"][name] = {
            "exported": evaluate(starter.starter_model(name), coco),
            "nms_free": evaluate(starter.starter_checkpoint(name), coco, nms=False),
        }
    for peer in peers:
        results["peers"][peer.stem] = evaluate(peer, coco)
    return results


def count_images(sets: Sequence[Path]) -> int:
    """All that a training sees in an epoch."""
    contents = [(path / "annotations" / "train.json").read_text(encoding="utf-8") for path in sets]
    return sum(len(json.loads(content)["images"]) for content in contents)


def publish_curves(names: Sequence[str], out: Path, images: int) -> None:
    """Keeps the curves of the last rounds that were trained here, and draws all."""
    curves = read_curves()
    for name in names:
        if (out / name).exists():
            curves[name] = curve_of(RunFolder(latest_best(name, out).parent), images) or curves.get(name, [])
    rows = (f' "{name}": {json.dumps(curve)}' for name, curve in curves.items())
    write_text(CURVES, "{\n" + ",\n".join(rows) + "\n}\n")
    draw_curves(curves, CURVE_IMAGE)


def list_models(results: dict[str, Any]) -> list[dict[str, Any]]:
    """What ``fusedet models`` says of each preset; the time of one thread is measured now, the files in turn."""
    files = {name: starter.starter_model(name) for name in results["presets"]}
    times_ms = time_files(files, rounds=200)
    models = []
    for name, path in files.items():
        found = results["presets"][name]["exported"]
        net, _ = load_detector(starter.starter_checkpoint(name))
        model = StarterModel(
            name=name,
            classes=len(found["per_class"]),
            input_size=Detector(path).contract.input_size,
            ap=found["ap"],
            ap50=found["ap50"],
            ap_person=found["per_class"]["person"],
            threshold=round(found["operating_point"]["threshold"], 3),
            parameters=count_parameters(net),
            ms=round(min(times_ms[name]), 2),
            processor=f"{results['facts']['cpu']}, {results['facts']['vector']}",
        )
        models.append(asdict(model))
    return models


def card(results: dict[str, Any], frame: str, rounds: dict[str, list[list[str]]]) -> str:
    """The model card: ``frame`` with its ``{{...}}`` filled."""
    presets, peers = results["presets"], results["peers"]
    rows = {}
    for name, both in presets.items():
        rows |= {name: both["exported"], f"{name}, NMS-free": both["nms_free"]}
    columns = ("AP50-95", "AP50", "small", "medium", "large", "person", "cameras", "best F1 at score", "duplicates")
    table = [f"| | {' | '.join(columns)} |", "| --- " + "| ---: " * len(columns) + "|"]
    for name, figures_of in (rows | peers).items():
        keys, point = ("ap", "ap50", "ap_small", "ap_medium", "ap_large"), figures_of["operating_point"]
        per_class = figures_of["per_class"]
        numbers = [*(figures_of[key] for key in keys), per_class.get("person"), _camera_classes(per_class)]
        cells = [*map(_figure, numbers), f"{point['threshold']:.2f}", f"{100 * point['duplicate_share']:.1f} %"]
        table.append(f"| {name} | {' | '.join(cells)} |")
    names = list(presets)
    columns = tuple(column for name in names for column in (name, "at score"))
    classes = [f"| class | {' | '.join(columns)} |", "| --- " + "| ---: " * len(columns) + "|"]
    first = presets[names[0]]["exported"]["per_class"]
    for label in sorted(first, key=lambda label: -(first[label] or 0)):
        exported = [presets[name]["exported"] for name in names]
        cells = [cell for one in exported for cell in (one["per_class"][label], one["thresholds"][label])]
        classes.append(f"| {label} | {' | '.join(map(_figure, cells))} |")
    machine = ", ".join(f"{key} {value}" for key, value in results["facts"].items() if key != "commit")
    filled = {
        "data": DATA,
        "machine": machine,
        "date": results["date"],
        "table": "\n".join(table),
        "classes": "\n".join(classes),
        "recipe": "\n\n".join(_recipe(name, rounds[name]) for name in names),
    }
    for key, text in filled.items():
        frame = frame.replace("{{" + key + "}}", text)
    return frame


def _recipe(name: str, rounds: list[list[str]]) -> str:
    lines = [f"{number}. `{' '.join(settings)}`" for number, settings in enumerate(rounds, start=1)]
    return "\n".join([f"`{name}`:", "", *lines])


def _camera_classes(per_class: dict[str, float | None]) -> float | None:
    """Mean AP of what cameras watch for."""
    known = [ap for name in CAMERA_CLASSES if (ap := per_class.get(name)) is not None]
    return sum(known) / len(known) if known else None


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+", choices=preset_names(), metavar="PRESET", help=str(preset_names()))
    parser.add_argument("--coco", type=Path, required=True, metavar="DIR", help="images/, annotations/: 80 classes")
    parser.add_argument(
        "--pool",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="images that detectors labelled, likewise; repeatable",
    )
    parser.add_argument("--peer", type=Path, action="append", default=[], help="another detector; repeatable")
    parser.add_argument("--out", type=Path, default=Path("runs/starter"))
    parser.add_argument("--publish", action="store_true", help="train nothing; ship the best weights so far")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse_arguments(arguments)
    rounds = {name: read_rounds(name) for name in args.presets}
    if not args.publish:
        for name in args.presets:
            if not train_rounds(name, args.coco, args.pool, args.out, with_places(rounds[name])):
                raise KeyboardInterrupt
        return 0
    for name in args.presets:
        if name in starter.available() and not (args.out / name).exists():
            print(f"{name}: no training in {args.out / name}, the weights that ship are exported anew")
            export(name)
        else:
            publish(name, latest_best(name, args.out))
    results = measure(args.presets, args.peer, args.coco)
    write_json(args.out / "results.json", results)
    write_json(WEIGHTS / starter.FIGURES, list_models(results))
    publish_curves(args.presets, args.out, count_images([args.coco, *args.pool]))
    write_text(WEIGHTS / "README.md", card(results, CARD_FRAME.read_text(encoding="utf-8"), rounds))
    print(f"written: {WEIGHTS}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # KeyboardInterrupt: children are ended as well
    sys.exit(run_command("starter", main))
