"""``fusedet export``: a checkpoint becomes two verified ONNX files."""

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusedet.cli.files import coco_files, or_starter
from fusedet.configs.errors import InputError
from fusedet.configs.starter import starter_checkpoint

if TYPE_CHECKING:  # torch: not before the command is known to be this one
    import numpy as np
    from numpy.typing import NDArray

    from fusedet.export import ExportResult
    from fusedet.train.coco import CocoDataset

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="checkpoint, run folder, or preset with starter weights"
    )
    parser.add_argument("--out", type=Path, help="folder, or the .onnx file to write (default: beside the checkpoint)")
    parser.add_argument("--nms", action="store_true", help="export the branch whose boxes need suppression afterwards")
    parser.add_argument(
        "--float-input", action="store_true", help="take RGB planes in 0..1 instead of a camera's BGR bytes"
    )
    parser.add_argument(
        "--layout",
        choices=("fusedet", "ultralytics"),
        default="fusedet",
        help="ultralytics: for what reads Ultralytics' files, [1, 300, 6], or [1, 4 + classes, points] with --nms "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--input-size", type=int, nargs="+", metavar="N", help="height and width, or one side of a square, in pixels"
    )
    parser.add_argument("--dynamic-batch", action="store_true", help="leave the number of pictures in a batch open")
    parser.add_argument("--max-detections", type=int, metavar="N", help="boxes for each picture (300; 1000 with --nms)")
    parser.add_argument("--images", type=Path, metavar="PATH", help="pictures to verify on (default: drawn ones)")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DATA",
        help="measure the files on pictures there, a folder with images/ and annotations/SPLIT.json, and write a "
        "certificate beside them",
    )
    parser.add_argument("--split", default="val", help="which annotations of the folder DATA (default: %(default)s)")
    parser.add_argument(
        "--pictures", type=int, default=200, metavar="N", help="pictures to compare boxes on (default: %(default)s)"
    )
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what the certificate asks, for example ap_difference=0.2; repeatable",
    )
    parser.add_argument(
        "--int8", action="store_true", help="also write NAME.int8.onnx, a third of the size; needs --data"
    )
    parser.add_argument(
        "--int8-budget",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="AP50-95 it may lose (default: %(default)s of 100)",
    )
    parser.add_argument(
        "--int8-pictures",
        type=int,
        default=100,
        metavar="N",
        help="pictures to measure ranges on (default: %(default)s)",
    )
    parser.add_argument(
        "--int8-method",
        default="minmax",
        choices=("minmax", "entropy", "percentile"),
        help="what becomes of rare values: minmax keeps them all (default: %(default)s)",
    )
    parser.add_argument("--int8-seed", type=int, default=0, metavar="N", help="of the choice of these pictures")
    parser.add_argument("--int8-per-tensor", action="store_true", help="one scale a layer, not one an output channel")
    parser.add_argument(
        "--int8-7-bits", action="store_true", help="weights of 7 bits, for x86 processors without VNNI (before 2019)"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="pictures to measure ranges on (default: those of annotations/train.json in DATA)",
    )
    parser.add_argument(
        "--allow-unfused", action="store_true", help="write the files although activations stand outside convolutions"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are already there")


def run(args: argparse.Namespace) -> int:
    """Exports and prints what was written.

    Raises:
        InputError: the checkpoint or an argument cannot be used, or the files failed their check.
    """
    _check_arguments(args)
    model = or_starter(args.model, starter_checkpoint)
    settings = {
        "nms": args.nms,
        "input_format": "float32_nchw_rgb" if args.float_input else "uint8_nhwc_bgr",
        "input_size": _size(args.input_size),
        "max_detections": args.max_detections,
        "dynamic_batch": args.dynamic_batch,
        "layout": args.layout,
        "images": args.images,
        "allow_unfused": args.allow_unfused,
        "overwrite": args.force,
    }
    if args.data is None:
        from fusedet.export import export_onnx  # torch: not before the command is known to be this one

        _say_what_was_written(export_onnx(model, args.out, **settings))
    else:
        _export_certified(model, args, settings)
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    if args.data is None and args.limit:
        raise InputError("--limit is what a certificate asks: it needs --data")
    if args.data is None and args.int8:
        raise InputError("--int8 is measured on pictures: it needs --data")
    if args.data is not None and args.layout != "fusedet":
        raise InputError(f"--data asks for a certificate, which files of --layout {args.layout} cannot carry")
    if args.pictures < 1:
        raise InputError(f"--pictures must be at least 1, but got {args.pictures}")


def _export_certified(model: Path, args: argparse.Namespace, settings: dict[str, Any]) -> None:
    annotations, images = coco_files(args.data, args.split)
    wanted = dict(_pair(text) for text in args.limit)
    from fusedet.export import Int8Settings, Limits, certificate_paths, export_certified
    from fusedet.train.coco import load_coco
    from fusedet.train.evaluate import evaluate

    limits = Limits().changed(wanted)
    int8 = None
    if args.int8:
        int8 = Int8Settings(
            pictures=args.int8_pictures,
            method=args.int8_method,
            per_channel=not args.int8_per_tensor,
            reduce_range=args.int8_7_bits,
            seed=args.int8_seed,
            budget=args.int8_budget,
        )
    dataset = load_coco(annotations, images)
    result, certificate = export_certified(
        model,
        args.out,
        pictures=_some_pictures(dataset, args.pictures),
        grade=lambda predictor: evaluate(predictor, dataset).summary(),
        limits=limits,
        int8=int8,
        calibration=_calibration(args) if int8 is not None else None,
        **settings,
    )
    _say_what_was_written(result)
    for check in certificate.checks:
        print(f"{check.what}: {check.found} (wanted {check.wanted})")
    if int8 is not None:
        _say_what_became_of_int8(certificate.facts)
    print(f"certificate: {certificate_paths(result.plain)[1]}")


def _calibration(args: argparse.Namespace) -> "dict[str, NDArray[np.uint8]]":
    """Pictures of the training: those that grade a file must not have shaped it."""
    from fusedet.export.verify import load_pictures
    from fusedet.train.coco import load_coco

    if args.calibration is not None:
        return load_pictures(args.calibration, args.int8_pictures)
    if not args.data.is_dir() or args.split == "train":
        raise InputError("--int8 needs pictures that are not graded: --calibration DIR")
    annotations, images = coco_files(args.data, "train")
    return _some_pictures(load_coco(annotations, images), args.int8_pictures)


def _some_pictures(dataset: "CocoDataset", count: int) -> "dict[str, NDArray[np.uint8]]":
    """``count`` of the set's pictures, from all over it."""
    from fusedet.train.cache import load_image

    samples = dataset.samples[:: max(1, len(dataset.samples) // count)][:count]
    return {sample.path.name: load_image(sample) for sample in samples}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--limit {text}: expected NAME=VALUE")
    return name, value


def _say_what_was_written(result: "ExportResult") -> None:
    for path, ops in ((result.plain, result.plain_ops), (result.fused, result.fused_ops)):
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB  {_summary(ops)}")
    print(f"fused: {result.fused_activations} activations, left outside convolutions: {len(result.declined)}")
    for declined in result.declined:
        print(f"  {declined}")
    reorders = result.optimized_ops["nchwc.ReorderInput"] + result.optimized_ops["nchwc.ReorderOutput"]
    print(f"ONNX Runtime runs here: {_summary(result.optimized_ops)}, {reorders} changes of layout")
    for agreement in result.agreement:
        print(agreement)


def _size(numbers: list[int] | None) -> tuple[int, int] | None:
    """``N`` is a square, ``H W`` a rectangle."""
    if numbers is None:
        return None
    if len(numbers) > 2:
        raise InputError(f"--input-size takes a height and a width, or one side, but got {len(numbers)} numbers")
    return numbers[0], numbers[-1]


def _say_what_became_of_int8(facts: dict[str, Any]) -> None:
    files, int8, times = facts["files"], facts["int8"], facts["latency_ms"]
    ratio = times["int8"]["min"] / times["fused"]["min"]
    print(
        f"{files['int8']['name']}  {files['int8']['bytes'] / 1e6:.2f} MB  {int8['quantised']} convolutions on bytes, "
        f"{len(int8['in_float'])} in float; {ratio:.2f} of the fused file's time here"
    )


def _summary(ops: Counter[str], most: int = 4) -> str:
    """The commonest operators, for example ``41 FusedConv, 27 Conv``."""
    return ", ".join(f"{count} {name}" for name, count in ops.most_common(most))
