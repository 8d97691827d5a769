"""``fusedet export``: a checkpoint becomes two verified ONNX files."""

import argparse
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusedet.cli.model_files.certificate import (
    add_certificate_arguments,
    check_certificate_arguments,
    export_certified_by,
    say_what_was_certified,
)
from fusedet.common.errors import InputError
from fusedet.configs.inputs import model_file
from fusedet.configs.starter import starter_checkpoint

if TYPE_CHECKING:  # torch: not before the command is known to be this one
    from fusedet.export import Certificate, ExportResult

#: An input's sides are multiples of it.
_STRIDE = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="checkpoint, run folder, or preset with starter weights"
    )
    parser.add_argument("--out", type=Path, help="folder, or the .onnx file to write (default: beside the checkpoint)")
    parser.add_argument(
        "--nms-free",
        action="store_true",
        help="export the one-to-one branch, whose boxes need no NMS, for runtimes without one (default: the "
        "one-to-many branch, which finds more; NMS follows in the detector library)",
    )
    parser.add_argument("--nms", action="store_true", help=argparse.SUPPRESS)  # the default since 0.2
    parser.add_argument(
        "--float-input", action="store_true", help="take RGB planes in 0..1 instead of a camera's BGR bytes"
    )
    parser.add_argument(
        "--layout",
        choices=("fusedet", "ultralytics", "raw"),
        default="fusedet",
        help="ultralytics: for what reads Ultralytics' files, [1, 4 + classes, points], or [1, 300, 6] with --nms-free "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--raw",
        dest="layout",
        action="store_const",
        const="raw",
        help="for chips with tools of their own, such as RKNN and Hailo: scores and boxes of each stride as outputs of "
        "their own, without decoding; the same as --layout raw",
    )
    parser.add_argument(
        "--input-size",
        nargs="+",
        metavar="SIZE",
        help="side of a square in pixels, or WIDTHxHEIGHT; of several, each becomes a file (default: as trained)",
    )
    parser.add_argument(
        "--aspect", metavar="W:H", help="of the camera's image, as in 16:9: SIZE is the longer side (320: 320x192)"
    )
    parser.add_argument("--dynamic-batch", action="store_true", help="leave the number of images in a batch open")
    parser.add_argument(
        "--max-detections",
        type=int,
        metavar="N",
        help="boxes for each image, before NMS (default: 500, with --nms-free 300; more for hundreds of objects)",
    )
    parser.add_argument("--images", type=Path, metavar="PATH", help="images to verify on (default: drawn ones)")
    add_certificate_arguments(parser)
    parser.add_argument(
        "--allow-unfused", action="store_true", help="write the files although activations stand outside convolutions"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are already there")


def run(args: argparse.Namespace) -> int:
    """Exports and prints what was written."""
    check_certificate_arguments(args)
    sizes = _sizes(args)
    model = model_file(args.model, starter_checkpoint)
    settings = {
        "nms": not args.nms_free,
        "input_format": "float32_nchw_rgb" if args.float_input else "uint8_nhwc_bgr",
        "max_detections": args.max_detections,
        "dynamic_batch": args.dynamic_batch,
        "layout": args.layout,
        "images": args.images,
        "allow_unfused": args.allow_unfused,
        "overwrite": args.force,
    }
    done = [
        _export(args, model, _place(args.out, model, size, len(sizes)), {**settings, "input_size": size})
        for size in sizes
    ]
    if len(done) > 1 and not args.quiet:
        _compare(done)
    return 0


def _export(
    args: argparse.Namespace, model: Path, out: Path | None, settings: dict[str, Any]
) -> "tuple[ExportResult, Certificate | None]":
    """One file, of one size."""
    if args.data is not None:
        result, certificate = export_certified_by(args, model, out, settings)
        if not args.quiet:
            _say_what_was_written(result)
            say_what_was_certified(result, certificate)
        return result, certificate
    from fusedet.export import export_onnx  # torch: not before the command is known to be this one

    result = export_onnx(model, out, **settings)
    if not args.quiet:
        _say_what_was_written(result)
    return result, None


def _sizes(args: argparse.Namespace) -> list[tuple[int, int] | None]:
    """``(height, width)`` of every file to write; None is the size of the training."""
    aspect = None if args.aspect is None else _aspect(args.aspect)
    if args.input_size is None:
        if aspect is None:
            return [None]
        raise InputError("--aspect needs --input-size N, the longer side in pixels")
    return [_size(word, aspect) for word in args.input_size]


def _size(word: str, aspect: tuple[float, float] | None) -> tuple[int, int]:
    """``320`` is a square, or has the aspect that was given; ``320x192`` is as wide and high as it says."""
    sides = word.lower().split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() and int(side) for side in sides):
        raise InputError(f"--input-size {word}: expected a side in pixels, as in 320, or WIDTHxHEIGHT, as in 320x192")
    if len(sides) == 2 or aspect is None:
        height, width = int(sides[-1]), int(sides[0])
        if height % _STRIDE or width % _STRIDE:
            raise InputError(f"--input-size {word}: sides must be multiples of {_STRIDE} pixels")
        return height, width
    longer = int(sides[0])
    width, height = (math.ceil(longer * part / max(aspect) / _STRIDE) * _STRIDE for part in aspect)
    return height, width


def _aspect(text: str) -> tuple[float, float]:
    """``16:9`` -> 16, 9."""
    try:
        width, height = map(float, text.split(":"))
    except ValueError:
        width = height = 0.0
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise InputError(f"--aspect {text}: expected WIDTH:HEIGHT, as in 16:9")
    return width, height


def _place(out: Path | None, model: Path, size: tuple[int, int] | None, count: int) -> Path | None:
    """Where a file goes; of several each is named after its size."""
    if count == 1 or size is None:
        return out
    from fusedet.export.pipeline import output_paths

    plain = output_paths(model, out)[0]
    return plain.with_name(f"{plain.stem}-{size[1]}x{size[0]}.onnx")


def _compare(done: "Sequence[tuple[ExportResult, Certificate | None]]") -> None:
    """Time of files of several sizes; every one runs once a round. AP and duplicates, where they were measured."""
    from fusedet.deploy.bench.timing import time_files

    times = time_files({str(result.fused): result.fused for result, _ in done})
    print(f"{'input':>9}  {'ms':>6}  {'median':>6}  {'AP50-95':>7}  {'duplicates':>10}  file")
    for (result, certificate), ms in zip(done, times.values(), strict=True):
        height, width = result.contract.input_size
        ap, duplicates = ("-", "-") if certificate is None else _found(certificate.facts["accuracy"]["fused"])
        took = f"{min(ms):6.2f}  {statistics.median(ms):6.2f}"
        print(f"{f'{width}x{height}':>9}  {took}  {ap:>7}  {duplicates:>10}  {result.fused}")


def _found(figures: dict[str, Any]) -> tuple[str, str]:
    """AP50-95 in 0..1, and the share of duplicates at the recommended score threshold."""
    return f"{figures['ap']:.3f}", f"{100 * (figures['operating_point']['duplicate_share'] or 0):.1f} %"


def _say_what_was_written(result: "ExportResult") -> None:
    for path, ops in ((result.plain, result.plain_ops), (result.fused, result.fused_ops)):
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB  {_summary(ops)}")
    print(f"fused: {result.fused_activations} activations, left outside convolutions: {len(result.declined)}")
    for declined in result.declined:
        print(f"  {declined}")
    reorders = result.optimized_ops["nchwc.ReorderInput"] + result.optimized_ops["nchwc.ReorderOutput"]
    print(f"ONNX Runtime runs here: {_summary(result.optimized_ops)}, {reorders} layout reorders")
    for agreement in result.agreement:
        print(agreement)


def _summary(ops: Counter[str], most: int = 4) -> str:
    """The commonest operators, for example ``41 FusedConv, 27 Conv``."""
    return ", ".join(f"{count} {name}" for name, count in ops.most_common(most))
