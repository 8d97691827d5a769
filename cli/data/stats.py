"""``fusedet data stats``: what a data set consists of, as text and as one image."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.cli.shared.files import refuse_to_replace
from fusedet.common.atomic import whole_file
from fusedet.common.errors import InputError
from fusedet.common.text import counted

if TYPE_CHECKING:  # training's packages are imported when the command runs
    from fusedet.train.data.doctor.statistics import Statistics

_MOST_CLASSES = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "data",
        metavar="DATA",
        type=Path,
        help="folder with annotations/{train,val,test}.json, or one COCO annotation file",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write a PNG with classes, sizes, places and more")
    parser.add_argument(
        "--input-size", metavar="N", type=int, default=320, help="of the network, in pixels (default: %(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(args: argparse.Namespace) -> int:
    """Prints, and perhaps draws."""
    if args.input_size < 32:
        raise InputError(f"--input-size must be at least 32, but got {args.input_size}")
    if args.out is not None and args.out.suffix.lower() != ".png":
        raise InputError(f"--out {args.out}: expected a name that ends in .png")
    refuse_to_replace("--out", args.out, args.force)
    from fusedet.train.data.doctor.source import open_splits
    from fusedet.train.data.doctor.statistics import measure

    size = (args.input_size, args.input_size)
    statistics = [measure(split, size) for split in open_splits(args.data)]
    for figures in statistics:
        _print(figures, args.input_size)
    if args.out is not None:
        from fusedet.train.data.doctor.report.plots import draw_statistics

        with whole_file(args.out) as part:
            draw_statistics(statistics, size, part)
        print(args.out)
    return 0


def _print(figures: "Statistics", input_size: int) -> None:
    facts = figures.as_dict()
    empty, crowd = facts["images_without_boxes"], facts["crowd_regions"]
    numbers = counted(figures.images, "image"), counted(figures.boxes, "box", "boxes")
    print(f"{figures.split}: {', '.join(numbers)}, {counted(len(figures.per_class), 'class', 'classes')}")
    if empty or crowd:
        print(f"  {empty} images without a box, {crowd} regions of many objects")
    for title, key in (
        (f"shorter side at {input_size} px", "side_at_input_px"),
        ("size over image", "relative_size"),
        ("boxes in an image", "boxes_per_image"),
    ):
        if facts[key]:
            values = "  ".join(f"{p}%: {v:.3g}" for p, v in zip(facts["percentiles"], facts[key], strict=True))
            print(f"  {title:<24}  {values}")
    shown = list(figures.per_class.items())[:_MOST_CLASSES]
    print("  " + ", ".join(f"{name} {count:,}" for name, count in shown))
    rest = list(figures.per_class.values())[_MOST_CLASSES:]
    if rest:
        print(f"  {len(rest)} more classes of {rest[-1]} to {rest[0]} boxes")
