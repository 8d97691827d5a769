"""``fusedet export``: a checkpoint becomes two verified ONNX files."""

import argparse
from collections import Counter
from pathlib import Path

from fusedet.cli.files import or_starter
from fusedet.configs.errors import InputError
from fusedet.configs.starter import starter_checkpoint

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
        "--input-size", type=int, nargs="+", metavar="N", help="height and width, or one side of a square, in pixels"
    )
    parser.add_argument("--dynamic-batch", action="store_true", help="leave the number of pictures in a batch open")
    parser.add_argument("--max-detections", type=int, metavar="N", help="boxes for each picture (300; 1000 with --nms)")
    parser.add_argument("--images", type=Path, metavar="PATH", help="pictures to verify on (default: drawn ones)")
    parser.add_argument(
        "--allow-unfused", action="store_true", help="write the files although activations stand outside convolutions"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are already there")


def run(args: argparse.Namespace) -> int:
    """Exports and prints what was written.

    Raises:
        InputError: the checkpoint or an argument cannot be used, or the files failed their check.
    """
    from fusedet.export import export_onnx  # torch: not before the command is known to be this one

    result = export_onnx(
        or_starter(args.model, starter_checkpoint),
        args.out,
        nms=args.nms,
        input_format="float32_nchw_rgb" if args.float_input else "uint8_nhwc_bgr",
        input_size=_size(args.input_size),
        max_detections=args.max_detections,
        dynamic_batch=args.dynamic_batch,
        images=args.images,
        allow_unfused=args.allow_unfused,
        overwrite=args.force,
    )
    for path, ops in ((result.plain, result.plain_ops), (result.fused, result.fused_ops)):
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB  {_summary(ops)}")
    print(f"fused: {result.fused_activations} activations, left outside convolutions: {len(result.declined)}")
    for declined in result.declined:
        print(f"  {declined}")
    reorders = result.optimized_ops["nchwc.ReorderInput"] + result.optimized_ops["nchwc.ReorderOutput"]
    print(f"ONNX Runtime runs here: {_summary(result.optimized_ops)}, {reorders} changes of layout")
    for agreement in result.agreement:
        print(agreement)
    return 0


def _size(numbers: list[int] | None) -> tuple[int, int] | None:
    """``N`` is a square, ``H W`` a rectangle."""
    if numbers is None:
        return None
    if len(numbers) > 2:
        raise InputError(f"--input-size takes a height and a width, or one side, but got {len(numbers)} numbers")
    return numbers[0], numbers[-1]


def _summary(ops: Counter[str], most: int = 4) -> str:
    """The commonest operators, for example ``41 FusedConv, 27 Conv``."""
    return ", ".join(f"{count} {name}" for name, count in ops.most_common(most))
