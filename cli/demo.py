"""``fusedet demo``: the whole way once, on drawn images: data, training, export, detection in a video."""

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from fusedet.cli.shared.arguments import add_renamed
from fusedet.common.arguments import check_whole

if TYPE_CHECKING:  # imported when the command runs
    from fusedet.deploy.camera.sinks import Sink
    from fusedet.deploy.detector.detector import Detector, Timings

_ANNOTATED = 8
_VIDEO_FPS = 25
#: Height and width in pixels.
_IMAGE_SIZE, _VIDEO_SIZE = (192, 192), (288, 384)
_MOST_IMAGES = 100_000

_SUMMARY = """\
# A detector of handwritten digits

Trained on {train} drawn images, evaluated on {val} others whose digits it never saw.

| | |
| --- | --- |
| AP50 of the exported file | {ap50:.3f} |
| AP50-95 of the exported file | {ap:.3f} |
| AP50-95 of the network in torch | {torch_ap:.3f} |
| frames/s in the video, all stages | {rate:.0f} |
| ms for a frame: network | {network_ms:.1f} |
| minutes for everything | {minutes:.1f} |

- `{model}`: the file for the board; every activation lives inside its convolution
- `video/detected.mp4`: moving digits with what was found
- `images/`: validation images with what was found
- `training/curves.png`: the training curves

## With your own data

Put your images into `my_data/images` and their COCO annotations into `my_data/annotations/train.json` and `val.json`:

    fusedet train nano data.root=my_data
    fusedet export runs/nano-1 --out models --images my_data/images
    fusedet detect models/best.fused.onnx 0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("runs/demo"), help="a new folder; DIR-2 if it is there already"
    )
    parser.add_argument("--epochs", metavar="N", type=int, help="train for N epochs (default: as the preset demo says)")
    parser.add_argument("--images", metavar="N", type=int, default=600, help="to train on (default: %(default)s)")
    add_renamed(parser, "--pictures", "--images", type=int)


def run(args: argparse.Namespace) -> int:
    """Draws, trains, exports, evaluates, detects, and says what to do next."""
    from fusedet.deploy.camera.sinks import AnnotatedImages, AnnotatedVideo, new_folder
    from fusedet.deploy.detector.detector import Detector
    from fusedet.export import export_onnx
    from fusedet.train import evaluate_model, train
    from fusedet.train.config import load_train_config
    from fusedet.train.data.coco import load_coco
    from fusedet.train.data.digits import make_digits, make_digits_video

    check_whole("--images", args.images, _MOST_IMAGES)
    epochs = [] if args.epochs is None else [f"train.epochs={args.epochs}"]
    load_train_config("demo", epochs)  # wrong settings are told before anything is drawn
    start = perf_counter()
    out = new_folder(args.out)
    _say(1, f"drawing {args.images} images of handwritten digits")
    data = make_digits(out / "data", train=args.images, val=max(1, args.images // 4), size=_IMAGE_SIZE)

    _say(2, "training pico on them")
    places = [f"data.root={data}", f"train.out={out / 'training'}"]
    trained = train(load_train_config("demo", [*epochs, *places]), name="demo")
    if not trained.finished:
        return 130

    _say(3, "exporting it, with every activation inside its convolution")
    exported = export_onnx(trained.run_dir, out / "model" / "digits.onnx", images=data / "images")
    print(f"{exported.fused_activations} activations moved into their convolutions, {len(exported.unfused)} left alone")

    _say(4, "evaluating the exported file")
    metrics = evaluate_model(exported.fused, data / "annotations" / "val.json", data / "images")
    print(f"AP {metrics.ap:.3f}  AP50 {metrics.ap50:.3f}  (in torch: AP {trained.metrics['ap']:.3f})")

    _say(5, "running it over a video of moving digits")
    detector = Detector(exported.fused, score_threshold=0.4)
    video = make_digits_video(out / "video" / "digits.mp4", fps=_VIDEO_FPS, size=_VIDEO_SIZE)
    timings = _annotate(detector, [video], AnnotatedVideo(video.with_name("detected.mp4"), _VIDEO_FPS))
    samples = load_coco(data / "annotations" / "val.json", data / "images").samples[:_ANNOTATED]
    (out / "images").mkdir()
    _annotate(detector, [sample.path for sample in samples], AnnotatedImages(out / "images"))
    rate = 1000 * len(timings) / sum(one.total for one in timings)
    network_ms = sum(one.inference for one in timings) / len(timings)
    print(f"{rate:.0f} frames/s, {network_ms:.1f} ms of each for the network")

    minutes = (perf_counter() - start) / 60
    summary = out / "README.md"
    summary.write_text(
        _SUMMARY.format(
            train=args.images,
            val=max(1, args.images // 4),
            ap50=metrics.ap50,
            ap=metrics.ap,
            torch_ap=trained.metrics["ap"],
            rate=rate,
            network_ms=network_ms,
            minutes=minutes,
            model=exported.fused.relative_to(out),
        )
    )
    print(f"\nDone in {minutes:.1f} minutes. Look into {out}: {summary} says what is there and what to do next.")
    return 0


def _say(step: int, what: str) -> None:
    print(f"\n[{step}/5] {what}", flush=True)


def _annotate(detector: "Detector", paths: Sequence[Path], sink: "Sink") -> "list[Timings]":
    """Writes images or a video with what was found into the sink, and gives the time that each frame took."""
    from fusedet.deploy.camera.result import Result
    from fusedet.deploy.camera.sources import open_source

    timings = []
    with closing(sink):
        for path in paths:
            with closing(open_source(str(path))) as source:
                for frame in source:
                    result = Result.of_frame(frame, detector(frame.image), detector.timings)
                    timings.append(result.timings)
                    sink.write(result)
    return timings
