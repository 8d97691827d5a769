"""``fusedet eval``: evaluates a checkpoint or an exported file with COCO's average precision."""

import argparse
import math
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from fusedet.cli.shared.arguments import add_duplicate_iou, check_counts, write_json
from fusedet.cli.shared.files import counter, refuse_to_replace
from fusedet.cli.shared.terminal import print_columns
from fusedet.common.errors import InputError
from fusedet.configs.inputs import CHECKPOINTS, coco_files, model_file

if TYPE_CHECKING:  # training's packages are imported when the command runs
    from fusedet.train.evaluation.metrics import Metrics
    from fusedet.train.evaluation.operating_point import OperatingPoint

#: Classes that the table lists; a data set of more is listed in the JSON file.
MOST_CLASSES = 30

#: Figures below the table and what people call them.
_TITLES = {
    "ap75": "AP75",
    "ap_small": "AP small",
    "ap_medium": "AP medium",
    "ap_large": "AP large",
    "ar": "recall",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=Path,
        help="checkpoint, run folder with best.pt in it, exported file, preset with starter weights, or an ONNX file "
        "of DEIMv2, PicoDet, YOLOX or Ultralytics",
    )
    parser.add_argument(
        "--data",
        metavar="DATA",
        type=Path,
        required=True,
        help="folder with images/ and annotations/SPLIT.json, or a COCO annotation file",
    )
    parser.add_argument("--images", metavar="DIR", type=Path, help="folder of the images (default: images/ in DATA)")
    parser.add_argument("--split", default="val", help="which annotations of the folder DATA (default: %(default)s)")
    parser.add_argument(
        "--nms-free",
        action="store_true",
        help="evaluate a checkpoint's NMS-free output, of its one-to-one branch (default: its output with NMS)",
    )
    parser.add_argument("--nms", action="store_true", help=argparse.SUPPRESS)  # the default since 0.2
    add_duplicate_iou(parser)
    parser.add_argument(
        "--batch", type=int, default=16, metavar="N", help="images for each run of the network (default: %(default)s)"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures there, with every class")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(args: argparse.Namespace) -> int:
    """Evaluates and prints a table."""
    model = model_file(args.model)
    annotations, images = coco_files(args.data, args.split, args.images)
    _check_arguments(args, model)
    from fusedet.train.config import EvalConfig
    from fusedet.train.data.coco import load_coco
    from fusedet.train.evaluation.by_name import known_to, left_out
    from fusedet.train.evaluation.evaluate import find_objects, load_predictor
    from fusedet.train.evaluation.metrics import evaluate_detections
    from fusedet.train.evaluation.operating_point import operating_point

    config = EvalConfig(batch=args.batch, nms=not args.nms_free, duplicate_iou=args.duplicate_iou)
    predictor, data = load_predictor(model, config), load_coco(annotations, images)
    dataset = known_to(predictor, data)
    unused, unknown = left_out(predictor, dataset), [name for name in data.names if name not in dataset.names]
    found = find_objects(predictor, dataset, batch=config.batch, on_batch=counter())
    metrics, point = evaluate_detections(dataset, found), operating_point(dataset, found)
    print(f"{model} on {annotations}")
    _say_left_out(unused, "the data has none: {} of the network's classes")
    _say_left_out(unknown, "the network does not know them: {} of the data's classes")
    _print(metrics)
    if not point.objects:
        print("no box to evaluate on: neither AP nor a score of the best F1 can be told")
    else:
        print(f"best F1 {point}")
    write_json(args.json, _as_json(metrics, point))
    return 0


def _say_left_out(names: list[str], why: str) -> None:
    if names:
        print(f"left out, since {why.format(len(names))}: {shorten(', '.join(names), 100, placeholder=' ...')}")


def _check_arguments(args: argparse.Namespace, model: Path) -> None:
    check_counts(args, "batch")
    if args.nms_free and model.suffix not in CHECKPOINTS:
        raise InputError(f"--nms-free chooses an output of a checkpoint, but {model} was exported with one of them")
    refuse_to_replace("--json", args.json, args.force)


def _print(metrics: "Metrics") -> None:
    rows = [("", "AP", "AP50"), ("all classes", _figure(metrics.ap), _figure(metrics.ap50))]
    if len(metrics.per_class) <= MOST_CLASSES:
        rows += [(f"  {name}", _figure(ap), _figure(ap50)) for name, (ap, ap50) in metrics.per_class.items()]
    print_columns(rows)
    print("  ".join(f"{title} {_figure(getattr(metrics, name))}" for name, title in _TITLES.items()))


def _figure(value: float) -> str:
    """A dash stands where the data has no such object."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def _as_json(metrics: "Metrics", point: "OperatingPoint") -> dict[str, Any]:
    classes = {name: {"ap": ap, "ap50": ap50} for name, (ap, ap50) in metrics.per_class.items()}
    return {**metrics.summary(), "operating_point": point.as_dict(), "per_class": classes}
