"""``fusedet data label``: a detector labels images for a training."""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.cli.shared.arguments import check_counts
from fusedet.cli.shared.files import counter, refuse_to_replace
from fusedet.common.errors import InputError
from fusedet.common.hashing import sha256
from fusedet.common.text import counted
from fusedet.configs.inputs import model_file
from fusedet.configs.layouts import image_folder

if TYPE_CHECKING:  # training's packages are imported when the command runs
    from fusedet.deploy.detector.detections import Predictor
    from fusedet.train.labelling.label import ImageFile

#: Below this a detector of several says nothing that the others could confirm.
_ENSEMBLE_SCORE = 0.05
#: Classes that the summary lists; the rest is counted.
_MOST_CLASSES = 10
#: Seconds between two frames of footage.
_EVERY_S = 1.0

_EPILOG = """\
examples:
  fusedet data label runs/nano-1 new_images --out new.json --score 0.4
  fusedet data label deimv2.onnx picodet.onnx new_images --out new.json \\
    --classes person,car=vehicle,truck=vehicle
  fusedet data label deimv2.onnx recordings --every 2 --classes person,car \\
    --out my_data/annotations/all.json

TEACHER is a checkpoint, a run folder, a preset with starter weights, a file of fusedet export, or an ONNX file of
DEIMv2, PicoDet, YOLOX or one that Ultralytics exported. Several teachers of the same classes are fused to one. IMAGES
is a folder, with the folders in it, a COCO file whose images are meant, or footage: a video, or a folder of videos.
Of footage, a frame every some seconds becomes a JPEG file, unless an earlier one shows nearly the same. Each label says
its score; a training on them may leave out doubtful ones:

  fusedet train nano data=my_data data.min_score=0.5 \\
    'data.extra_train=[{annotations: new.json, images: new_images}]'

Ctrl-C keeps what is done in FILE.partial; the same command goes on from there.

exit codes: 0 done; 1 done, but images that could not be read were left out; 2 bad input; 130 stopped by Ctrl-C.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("teachers", metavar="TEACHER", nargs="+", type=Path, help="a detector; several are fused")
    parser.add_argument(
        "inputs", metavar="IMAGES", type=Path, help="folder of images or videos, a video, or a COCO file"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the COCO file to write")
    parser.add_argument(
        "--score", type=float, default=0.3, help="lowest score that becomes a label, 0..1 (default: %(default)s)"
    )
    parser.add_argument(
        "--classes", metavar="NAMES", help="only these, such as person,car; car=vehicle writes it by another name"
    )
    parser.add_argument(
        "--images",
        metavar="DIR",
        type=Path,
        help="folder of a COCO file's images, or for the frames of footage (default: ../images)",
    )
    parser.add_argument(
        "--every", metavar="SECONDS", type=float, help=f"of footage, between two frames (default: {_EVERY_S:g})"
    )
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="images for each call (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(args: argparse.Namespace) -> int:
    """Labels, and prints what was found; returns the exit code."""
    _check_arguments(args)
    files = [model_file(path) for path in args.teachers]
    classes = None if args.classes is None else _classes(args.classes)
    from fusedet.train.labelling.label import label_images

    teacher, image_files = _open_teacher(files, args.score), _image_files(args)
    summary = label_images(
        teacher,
        image_files,
        args.out,
        score_threshold=args.score,
        classes=classes,
        origin={f"teacher {i}": f"{path.name}, SHA-256 {sha256(path)}" for i, path in enumerate(files, start=1)},
        batch=args.batch,
        on_batch=counter(total=len(image_files)),
    )
    print(f"{args.out}: {sum(summary.objects.values())} boxes in {summary.images} images")
    found = ((name, count) for name, count in summary.objects.items() if count)
    ranking = sorted(found, key=lambda item: -item[1])
    for name, count in ranking[:_MOST_CLASSES]:
        print(f"  {name}: {count}")
    if len(ranking) > _MOST_CLASSES:
        rest = ranking[_MOST_CLASSES:]
        print(f"  {len(rest)} more classes: {sum(count for _, count in rest)}")
    if summary.unreadable:
        print(f"left out: {summary.unreadable} images that could not be read")
    return 1 if summary.unreadable else 0


def _check_arguments(args: argparse.Namespace) -> None:
    if not 0 <= args.score < 1:
        raise InputError(f"--score must be in 0..1, but got {args.score}")
    check_counts(args, "batch")
    if args.every is not None and not 0 < args.every < math.inf:
        raise InputError(f"--every must be above 0 seconds, but got {args.every:g}")
    if args.out.parent.name == "annotations":  # of a data set that begins with these labels
        args.out.parent.mkdir(parents=True, exist_ok=True)
    refuse_to_replace("--out", args.out, args.force)


def _classes(text: str) -> dict[str, str]:
    """``person,car=vehicle`` -> class of the teacher -> class to write."""
    classes: dict[str, str] = {}
    for part in text.split(","):
        theirs, equals, ours = (word.strip() for word in part.partition("="))
        if not theirs or (equals and not ours):
            raise InputError(f"--classes: expected NAME or NAME=NEW between commas, but got {part!r} in {text!r}")
        if theirs in classes:
            raise InputError(f"--classes names {theirs!r} twice")
        classes[theirs] = ours or theirs
    return classes


def _open_teacher(files: list[Path], score: float) -> "Predictor":
    from fusedet.train.config import EvalConfig
    from fusedet.train.evaluation.evaluate import load_predictor
    from fusedet.train.labelling.ensemble import Ensemble

    if len(files) == 1:
        return load_predictor(files[0], EvalConfig(score_threshold=score))
    return Ensemble([load_predictor(path, EvalConfig(score_threshold=_ENSEMBLE_SCORE)) for path in files])


def _image_files(args: argparse.Namespace) -> "list[ImageFile]":
    from fusedet.train.labelling.footage import find_videos
    from fusedet.train.labelling.label import find_images, images_of

    videos = find_videos(args.inputs)
    if args.inputs.is_file() and not videos:
        if args.every is not None:
            raise InputError(f"--every is for footage, but {args.inputs} is no video")
        return images_of(args.inputs, args.images or image_folder(args.inputs))
    if videos and (args.inputs.is_file() or args.every is not None or not _any_image(args.inputs)):
        return _frames(args, videos)
    if args.every is not None:
        raise InputError(f"--every is for footage, but there is no video in {args.inputs}")
    if args.images is not None:
        raise InputError(f"--images is the folder of a COCO file's images, but {args.inputs} is a folder itself")
    return find_images(args.inputs)


def _any_image(folder: Path) -> bool:
    from fusedet.deploy.camera.sources import IMAGE_SUFFIXES

    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.rglob("*"))


def _frames(args: argparse.Namespace, videos: list[Path]) -> "list[ImageFile]":
    """The frames of footage, written where a training looks for its images."""
    from fusedet.train.labelling.footage import take_frames

    if args.images is None and args.out.parent.name != "annotations":
        raise InputError(
            f"--out {args.out}: for footage, expected a file in a folder annotations/, so that the frames go to "
            "images/ beside it, or --images DIR for them"
        )
    folder = args.images or args.out.parent.parent / "images"
    frames = take_frames(videos, args.every or _EVERY_S, folder, counter("frames"))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    taken = f"{counted(len(frames.image_files), 'frame')} of {counted(len(videos), 'video')}"
    print(f"{folder}: {taken}; {frames.alike} more show nothing new")
    return frames.image_files
