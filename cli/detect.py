"""``fusedet detect``: runs an exported model on images, a video or a camera."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from fusedet.cli.detect_report import DetectReport
from fusedet.cli.shared.arguments import add_duplicate_iou, check_counts
from fusedet.cli.shared.files import exported_from, refuse_to_replace
from fusedet.cli.shared.process import on_stop_signals
from fusedet.common.addresses import hide_secrets
from fusedet.common.atomic import naming
from fusedet.common.errors import InputError
from fusedet.configs.inputs import CHECKPOINTS, EXPORTED_FIRST, model_file
from fusedet.configs.starter import available, starter_model

if TYPE_CHECKING:  # the runtime itself is imported when the command runs
    from fusedet.deploy.camera.sinks import Sink
    from fusedet.deploy.camera.sources import Frame, Source
    from fusedet.deploy.detector.pool import DetectorPool
    from fusedet.deploy.tracking.tracker import Tracker

#: What detects when no model is named: everyday objects, the 80 classes of COCO.
_STARTER = "nano"

_EPILOG = """\
SOURCE is an image, a folder (its own images; 'folder/**/*.jpg' also reaches the folders in it), a quoted glob, a
video file, or a camera: its number, such as 0, /dev/video0, csi for the one of a Raspberry Pi, or an rtsp:// or http://
address. What is in a file tells a video from an image, not its suffix. Ctrl-C stops a video or a camera, and so do
SIGTERM and SIGHUP; what was written until then is kept and whole.

Each image of files gets a line; a video or a camera shows its newest frame, on a terminal. Then a summary follows.
With --json - all of this goes to standard error.

exit codes: 0 done; 1 done, but images or frames that could not be read were left out, a video is cut off, or the camera
gave no more; 2 bad input; 130 stopped by Ctrl-C before the end (a camera has no end: 0).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=Path,
        nargs="?",
        help="ONNX file of fusedet export, of Ultralytics or of another project that fusedet knows, run folder, "
        f"checkpoint, or a preset that has starter weights (default: {_STARTER})",
    )
    parser.add_argument("source", metavar="SOURCE", help="image, folder, glob, video, camera or address")
    parser.add_argument("--score", type=float, default=0.25, help="score threshold, 0..1 (default: %(default)s)")
    parser.add_argument(
        "--classes", type=_class_names, metavar="NAMES", help="only these, such as person,car (default: all)"
    )
    add_duplicate_iou(parser)
    parser.add_argument(
        "--max-detections", type=int, default=300, metavar="N", help="at most so many an image (default: %(default)s)"
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="of files, images to look at in parallel (default: the cores); of a camera, threads of the network "
        "(default: as bench --tune found, else the cores, at most 4)",
    )
    parser.add_argument(
        "--track",
        action="store_true",
        help="number and count the objects of a video or camera; a lower score may go on a track, but begins none",
    )
    parser.add_argument("--self-test", action="store_true", help="first find the boxes of the file's own image")
    parser.add_argument("--limit", type=int, metavar="N", help="stop after N images or frames")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for annotated images or video (default: detections/NAME, new)"
    )
    parser.add_argument("--no-images", action="store_true", help="write no annotated images and no video")
    parser.add_argument("--json", metavar="FILE", help="write a line of JSON for each image; - is standard output")
    parser.add_argument("--show", action="store_true", help="show each image in a window; q or Esc stops")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the summary only")
    parser.add_argument("--force", action="store_true", help="write into a folder that is not empty, replace FILE")


def _is_model(source: str) -> bool:
    path = Path(source)
    return path.suffix in (".onnx", *CHECKPOINTS) or (source in available() and not path.exists())


def run(args: argparse.Namespace) -> int:
    """Detects, writes what was asked for, and prints a summary; returns the exit code."""
    from fusedet.deploy.camera.sources import open_source

    _check_arguments(args)
    if args.model is None and _is_model(args.source):
        more = f"fusedet detect {args.source} street.jpg"
        raise InputError(f"{args.source} is a model, and what it is to look at comes after it: {more}")
    args.model = starter_model(_STARTER) if args.model is None else model_file(args.model, of_run=EXPORTED_FIRST)
    args.model = exported_from(args.model) if args.model.suffix in CHECKPOINTS else args.model
    with _os_errors_in_one_line(), closing(open_source(args.source)) as source, ExitStack() as stack:
        _keep_inputs_safe(args, source)
        pool = _open_pool(args, _at_once(args, source))
        sinks, places = _open_sinks(args, source, stack)
        if source.fps is not None and not args.quiet:
            print(f"{hide_secrets(args.source)}: Ctrl-C stops, and keeps what was written", file=sys.stderr)
        tracker = _open_tracker(args, source)
        stream = sys.stderr if args.json == "-" else sys.stdout
        report = DetectReport(stream, source, args.limit, quiet=args.quiet)
        with on_stop_signals(signal.default_int_handler):
            stopped = _detect(args, pool, islice(source, args.limit), sinks, report, tracker)
        failure = source.health.error
    report.finish()
    for place in places:
        print(f"written: {place}", file=stream)
    if stopped:
        return 0 if source.live else 130
    if failure is not None:
        print(f"fusedet: error: {hide_secrets(args.source)}: {failure}", file=sys.stderr)
    return 1 if source.unreadable or failure else 0


def _at_once(args: argparse.Namespace, source: "Source") -> int:
    """Images to look at in parallel: of a camera the newest alone counts, of files how many a second."""
    from fusedet.common.machine import physical_cores

    if source.live or source.drops:
        return 1
    images = len(source.files) if source.fps is None else None
    most = [number for number in (args.threads or physical_cores(), images, args.limit) if number is not None]
    return min(most)


def _open_pool(args: argparse.Namespace, size: int) -> "DetectorPool":
    """One detector with all threads, or several with one thread each."""
    from fusedet.deploy.bench.tuned import read_tuned
    from fusedet.deploy.detector.pool import DetectorPool
    from fusedet.deploy.detector.self_test import open_tested

    tuned, model = read_tuned(args.model), args.model
    threads = args.threads if size == 1 else 1
    if tuned is not None:
        model, threads = tuned.path(model), threads or tuned.threads
    if args.self_test:
        open_tested(model, threads=threads)
    return DetectorPool(
        model,
        size,
        threads,
        score_threshold=_lowest_score(args),
        max_detections=args.max_detections,
        duplicate_iou=args.duplicate_iou,
        classes=args.classes,
    )


def _class_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected class names between commas, but got {text!r}")
    return names


def _check_arguments(args: argparse.Namespace) -> None:
    check_counts(args, "limit", "threads")
    if args.json not in (None, "-") and Path(args.json).parent.is_dir():  # otherwise the folder is made
        refuse_to_replace("--json", Path(args.json), args.force)
    if args.out is None:
        return
    if args.no_images:
        raise InputError(f"--out {args.out} is the folder for annotated images, but --no-images writes none")
    if args.out.exists() and not args.out.is_dir():
        raise InputError(f"--out {args.out}: expected a folder, but this is a file")
    if args.out.exists() and any(args.out.iterdir()) and not args.force:
        raise InputError(f"--out {args.out}: this folder is not empty; choose another, or add --force to write into it")


def _keep_inputs_safe(args: argparse.Namespace, source: "Source") -> None:
    """Not even --force may write over what is being read."""
    inputs = {path.resolve() for path in (*source.files, args.model)}
    if args.out is not None and any(args.out.resolve() in path.parents for path in inputs):
        raise InputError(f"--out {args.out}: this folder holds what is to be read; choose another")
    if args.json is not None and Path(args.json).resolve() in inputs:
        raise InputError(f"--json {args.json}: this file is to be read; choose another")


def _make_folder(out: Path | None, label: str) -> Path:
    from fusedet.deploy.camera.sinks import new_folder

    if out is None:
        return new_folder(Path("detections") / (label or "images"))
    out.mkdir(parents=True, exist_ok=True)
    return out


def _open_sinks(args: argparse.Namespace, source: "Source", stack: ExitStack) -> "tuple[list[Sink], list[str]]":
    """The sinks that were asked for, which ``stack`` closes, and the places they write to.

    What is most likely to fail comes first, so that a failure leaves nothing behind.
    """
    from fusedet.deploy.camera.sinks import AnnotatedImages, AnnotatedVideo, JsonLines, Window

    sinks: list[Sink] = []
    places = []
    if args.show:
        sinks.append(Window(f"fusedet: {source.label}"))
    if args.json == "-":
        sinks.append(JsonLines(sys.stdout))
    elif args.json is not None:
        sinks.append(JsonLines(stack.enter_context(_open_json(Path(args.json), args.force))))
        places.append(args.json)
    if not args.no_images:
        folder = _make_folder(args.out, source.label)
        places.append(str(folder))
        if source.fps is None:
            sinks.append(AnnotatedImages(folder))
        else:
            sinks.append(AnnotatedVideo(folder / f"{source.label}.mp4", source.fps))
    for sink in sinks:
        stack.callback(sink.close)
    return sinks, places


@contextmanager
def _open_json(path: Path, force: bool) -> "Iterator[TextIO]":
    """Closing fails again where a line could not be written, and says of which file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("w" if force else "x", encoding="ascii")
    try:
        yield stream
    finally:
        with naming(path):
            stream.close()


def _open_tracker(args: argparse.Namespace, source: "Source") -> "Tracker | None":
    if not args.track:
        return None
    if source.fps is None:
        raise InputError(f"--track follows objects through a video or camera, but {args.source} is images")
    from fusedet.deploy.tracking.tracker import Tracker, TrackerSettings

    settings = TrackerSettings(begin_score=args.score, high_score=args.score, low_score=_lowest_score(args))
    return Tracker(settings, source.fps)


def _lowest_score(args: argparse.Namespace) -> float:
    """A track may go on with scores that are too low to be told by themselves."""
    from fusedet.deploy.camera.pipeline.camera import TRACKED_SCORE

    return min(TRACKED_SCORE, args.score) if args.track else args.score


def _detect(
    args: argparse.Namespace,
    pool: "DetectorPool",
    frames: "Iterator[Frame]",
    sinks: "Sequence[Sink]",
    report: DetectReport,
    tracker: "Tracker | None",
) -> bool:
    """Feeds every frame to the detectors and the result to sinks and report; True when Ctrl-C ended it."""
    import numpy as np

    from fusedet.common.parallel import map_ahead
    from fusedet.deploy.camera.result import Result
    from fusedet.deploy.camera.sinks import WindowClosed
    from fusedet.deploy.detector.detections import NO_TRACK

    for detector in pool.detectors:  # the first run takes longer: it lays out the memory
        detector(np.zeros((*detector.input_size, 3), np.uint8))
    found = map_ahead(lambda frame: (frame, *pool.detect(frame.image)), frames, len(pool) if len(pool) > 1 else 0)
    try:
        report.start(str(pool.path), pool)
        for frame, detections, timings in found:
            if tracker is not None:
                detections = tracker.update(detections, frame.time_s)
                detections = detections[(detections.track_ids != NO_TRACK) | (detections.scores >= args.score)]
            result = Result.of_frame(frame, detections, timings)
            for sink in sinks:
                sink.write(result)
            report.add(result)
    except KeyboardInterrupt:
        return True
    except BrokenPipeError:  # whoever reads the lines has had enough; nothing more may go there, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except WindowClosed:
        pass
    finally:
        found.close()
    return False


@contextmanager
def _os_errors_in_one_line() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{error.filename or 'output'}: {error.strerror}") from error
