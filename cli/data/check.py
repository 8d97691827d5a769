"""``fusedet data check``: finds what is wrong with a data set before a training does, and repairs a copy."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.cli.shared.arguments import write_json
from fusedet.cli.shared.files import refuse_to_replace, write_or_refuse
from fusedet.cli.shared.terminal import say_progress
from fusedet.common.errors import InputError
from fusedet.common.text import counted
from fusedet.configs.layouts import SetFiles, image_folder

if TYPE_CHECKING:  # training's packages are imported when the command runs
    from fusedet.train.data.doctor.check import Report
    from fusedet.train.data.doctor.source import Split

_EPILOG = """\
examples:
  fusedet data check my_data
  fusedet data check my_data --page check.html --json check.json
  fusedet data check --train a/train.json --val a/val.json \\
    --images a/images --input-size 416
  fusedet data check my_data --fix my_data_fixed   # mends a copy

Errors are what training refuses, or would learn or evaluate falsely; warnings
are what is lost, doubtful or counted twice; notes are good to know. docs/data.md lists every kind.

exit codes: 0 no error (with --strict: and no warning); 1 there are some; 2 bad input.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        type=Path,
        help="folder with images/ and annotations/{train,val,test}.json, or one COCO annotation file",
    )
    parser.add_argument("--train", metavar="FILE", type=Path, help="annotations to learn from, in the place of DATA's")
    parser.add_argument("--val", metavar="FILE", type=Path, help="annotations to evaluate on, in the place of DATA's")
    parser.add_argument("--images", metavar="DIR", type=Path, help="folder of the images (default: images/ in DATA)")
    parser.add_argument("--val-images", metavar="DIR", type=Path, help="those to evaluate on, where they lie elsewhere")
    parser.add_argument(
        "--input-size", metavar="N", type=int, default=320, help="of the network, in pixels (default: %(default)s)"
    )
    parser.add_argument("--fast", action="store_true", help="open no image: what the annotations and names tell")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    parser.add_argument(
        "--exif-boxes",
        choices=("stored", "shown"),
        help="whether boxes of images that EXIF turns are of the stored or of the shown image, where they fit both",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every finding there")
    parser.add_argument("--page", metavar="FILE", type=Path, help="write an HTML page with images there")
    parser.add_argument("--fix", metavar="DIR", type=Path, help="write a repaired copy there")
    parser.add_argument("--link", action="store_true", help="with --fix: hard links to the images, not copies")
    parser.add_argument(
        "--leave-out",
        action="store_true",
        help="with --fix: write the copy although it lacks annotated images that cannot be mended",
    )
    parser.add_argument("--force", action="store_true", help="replace the files of --json and --page")


def run(args: argparse.Namespace) -> int:
    """Checks, prints what was found, perhaps repairs a copy; returns the exit code."""
    _check_arguments(args)
    from fusedet.train.data.doctor.check import validate_splits
    from fusedet.train.data.doctor.report.report import terminal_report

    splits, others = _open(args)
    size = (args.input_size, args.input_size)
    report = validate_splits(
        splits,
        size,
        fast=args.fast,
        others=others,
        exif_boxes=args.exif_boxes,
        progress=lambda done, total: say_progress(f"{done} of {total} images"),
    )
    print(terminal_report(report))
    if args.fix is None and (mendable := _mendable(report)):
        print(
            f"--fix FOLDER writes a copy in which {counted(mendable, 'finding is', 'findings are')} mended or left out"
        )
    write_json(args.json, report.as_dict())
    if args.page is not None:
        from fusedet.train.data.doctor.report.page import check_page

        write_or_refuse(args.page, check_page(report, str(args.data or args.train)))
        print(f"\nwritten: {args.page}")
    if args.fix is not None:
        _fix(report, args.fix, link=args.link, leave_out=args.leave_out)
    return 1 if report.count("error") or (args.strict and report.count("warning")) else 0


def _check_arguments(args: argparse.Namespace) -> None:
    if args.data is None and args.train is None:
        raise InputError("expected DATA, a folder or a COCO file, or --train FILE")
    if args.data is not None and args.data.is_file() and (args.train or args.val):
        raise InputError(f"{args.data} is an annotation file itself: --train and --val have no place beside it")
    if args.input_size < 32:
        raise InputError(f"--input-size must be at least 32, but got {args.input_size}")
    if args.fix is not None and args.fast:
        raise InputError("--fix needs the images opened: leave --fast out")
    if args.exif_boxes is not None and args.fast:
        raise InputError("--exif-boxes is about images, which --fast does not open")
    if args.link and args.fix is None:
        raise InputError("--link says how --fix copies the images: it needs --fix DIR")
    if args.leave_out and args.fix is None:
        raise InputError("--leave-out says what the copy of --fix may lack: it needs --fix DIR")
    refuse_to_replace("--json", args.json, args.force)
    refuse_to_replace("--page", args.page, args.force)
    if args.fix is not None:
        from fusedet.train.labelling.folders import check_free

        check_free(args.fix)


def _open(args: argparse.Namespace) -> "tuple[list[Split], list[Path]]":
    """The sets to check, and the image files of sets in the same folder that are not checked."""
    from fusedet.train.data.doctor.source import find_files, listed_files, read_split

    files = {} if args.data is None else find_files(args.data)
    for name, path in (("train", args.train), ("val", args.val)):
        if path is not None:
            files[name] = SetFiles(path, image_folder(path, args.data))
    splits = []
    for name, (file, usual) in files.items():
        images = args.val_images if name == "val" and args.val_images else args.images or usual
        splits.append(read_split(name, file, images))
    own = {file for file, _ in files.values()}
    beside = {path for file in own for path in file.parent.glob("*.json")} - own
    return splits, [path for file in sorted(beside) for path in listed_files(file, splits[0].image_folder)]


def _fix(report: "Report", out: Path, *, link: bool, leave_out: bool) -> None:
    from fusedet.train.data.doctor.check import validate_splits
    from fusedet.train.data.doctor.copy import write_repaired
    from fusedet.train.data.doctor.report.report import summary
    from fusedet.train.data.doctor.source import read_split

    actions = write_repaired(report, out, link=link, leave_out=leave_out)
    names = [split.name for split in report.splits]
    again = validate_splits(
        [read_split(n, out / "annotations" / f"{n}.json", out / "images") for n in names], fast=True
    )
    fixed = "1 finding" if len(actions) == 1 else f"{len(actions)} findings"
    print(f"\n{out}: {fixed} fixed, told in {out / 'fixes.md'}; the copy: {summary(again)}")


def _mendable(report: "Report") -> int:
    from fusedet.train.data.doctor.finding import KINDS

    return sum(finding.severity != "note" and bool(KINDS[finding.kind].fix) for finding in report.findings)
