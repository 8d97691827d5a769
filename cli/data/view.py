"""``fusedet data view``: a sheet of labelled images, as they are or as a training shows them to its network."""

import argparse
from pathlib import Path

from fusedet.cli.shared.arguments import check_counts
from fusedet.cli.shared.files import refuse_to_replace
from fusedet.common.errors import InputError
from fusedet.configs.inputs import coco_files

_EPILOG = """\
examples:
  fusedet data view my_data --out sheet.jpg
  fusedet data view my_data --split val --class dog --count 60 --out dogs.png
  fusedet data view my_data --augmented nano \\
    augment.rotate=10 --out batch.jpg    # what the network will see
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "data",
        metavar="DATA",
        type=Path,
        help="folder with images/ and annotations/SPLIT.json, or a COCO annotation file",
    )
    parser.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="settings that win over those of CONFIG")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the sheet to write, .jpg or .png")
    parser.add_argument("--images", metavar="DIR", type=Path, help="folder of the images (default: images/ in DATA)")
    parser.add_argument("--split", default="train", help="which annotations of the folder DATA (default: %(default)s)")
    parser.add_argument("--class", dest="class_name", metavar="NAME", help="only images with an object of this class")
    parser.add_argument("--count", type=int, default=24, metavar="N", help="images at most (default: %(default)s)")
    parser.add_argument("--side", type=int, default=260, metavar="N", help="of an image, in px (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another one shows others (default: %(default)s)")
    parser.add_argument(
        "--augmented", metavar="CONFIG", help="a YAML file or a preset: the images as its training varies them"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(args: argparse.Namespace) -> int:
    """Draws the sheet."""
    annotations, images = _check_arguments(args)
    from fusedet.common.text import nearest
    from fusedet.train.config import load_train_config
    from fusedet.train.data.coco import load_coco
    from fusedet.train.data.contact_sheet import save_image
    from fusedet.train.data.preview import augmented_sheet, choose_samples, labelled_sheet

    config = None if args.augmented is None else load_train_config(args.augmented, args.overrides)
    dataset = load_coco(annotations, images)
    if args.class_name is not None and args.class_name not in dataset.names:
        raise InputError(f"--class {args.class_name!r}: there is none{nearest(args.class_name, dataset.names)}")
    if config is not None:
        sheet = augmented_sheet(dataset, config, args.count, args.seed, args.side)
    else:
        samples = choose_samples(dataset, args.count, args.seed, args.class_name)
        if not samples:
            raise InputError(f"--class {args.class_name!r}: no image of {annotations} has one")
        sheet = labelled_sheet(samples, dataset.names, args.side)
    save_image(args.out, sheet)
    print(f"{args.out}: {sheet.shape[1]} x {sheet.shape[0]} px")
    return 0


def _check_arguments(args: argparse.Namespace) -> tuple[Path, Path]:
    if args.out.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise InputError(f"--out {args.out}: expected a name that ends in .jpg or .png")
    check_counts(args, "count")
    if not 32 <= args.side <= 2048:
        raise InputError(f"--side must be in 32..2048, but got {args.side}")
    if args.seed < 0:
        raise InputError(f"--seed must be at least 0, but got {args.seed}")
    if args.overrides and args.augmented is None:
        raise InputError(f"{args.overrides[0]!r} is a setting of a training: it needs --augmented CONFIG")
    if args.augmented is not None and args.class_name is not None:
        raise InputError("--class has no place beside --augmented, whose images are made of several")
    refuse_to_replace("--out", args.out, args.force)
    return coco_files(args.data, args.split, args.images)
