"""``fusedet data convert``: a data set from one form to another."""

import argparse
from pathlib import Path

from fusedet.common.errors import InputError

_FORMS = ("coco", "yolo", "voc", "openimages")

_EPILOG = """\
examples:
  fusedet data convert my_yolo_set my_data --from yolo --to coco
  fusedet data convert my_data for_labelimg --from coco --to voc --link

coco        annotations/{train,val,test}.json and images/
yolo        data.yaml, images/SPLIT, labels/SPLIT; or classes.txt, images/ ...
voc         Annotations/*.xml, JPEGImages/ and perhaps ImageSets/Main/SPLIT.txt
openimages  {train,validation,test}-annotations-bbox.csv and folders of images of these names

What was written is read again and compared, box by box. What the new form cannot hold is told.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("source", metavar="SRC", type=Path, help="folder of the data set, or YOLO's YAML file")
    parser.add_argument("out", metavar="DST", type=Path, help="folder to make")
    parser.add_argument("--from", dest="read_as", choices=_FORMS, required=True, help="what SRC is")
    parser.add_argument("--to", dest="write_as", choices=_FORMS, required=True, help="what DST will be")
    parser.add_argument("--link", action="store_true", help="hard links to the images, not copies")
    parser.add_argument(
        "--one-based",
        action="store_true",
        help="boxes of VOC count whole pixels from 1, as VOC's own files do; labelImg and CVAT count from 0",
    )


def run(args: argparse.Namespace) -> int:
    """Converts, and prints what was written and what could not be."""
    if args.read_as == args.write_as:
        raise InputError(f"--from and --to are both {args.read_as}: there is nothing to convert")
    if args.one_based and "voc" not in (args.read_as, args.write_as):
        raise InputError("--one-based is about the boxes of VOC, which is neither --from nor --to")
    if not args.source.exists():
        raise InputError(f"{args.source}: no such file or folder")
    from fusedet.train.data.convert.convert import convert

    done = convert(args.source, args.out, args.read_as, args.write_as, link=args.link, one_based=args.one_based)
    for name, images in done.images.items():
        print(f"{name}: {images} images, {done.boxes[name]} boxes")
    print(f"{args.out}: read again, no side of a box is off by more than {done.error_px:.2g} px")
    lost = [f"{count} {what}" for what, count in done.lost.items()]
    if args.read_as == "coco":
        lost.append("the ids of images, classes and boxes")
    if lost:
        print(f"{args.write_as} cannot hold, and they are left out: {', '.join(lost)}")
    if done.turned:
        print(
            f"{done.turned} images are turned by EXIF when they are shown; their boxes were taken as those of the "
            "stored image, and fusedet data check tells which they are"
        )
    return 0
