"""Images a second with an image on each core against one image and one thread: folder, video and labelling, in turns.

    python -m benchmarks.speed.parallel --images ../shared/data/coco80/images --count 500

Each run is the command as a user types it; its own rate counts, from the first image to the last. The video is made of
the images. On a machine where other programs run, the ratio says what was left of the second core; milliseconds of
computing for an image tell whether the cores hold each other up, whatever else runs.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import psutil

from benchmarks.command import facts, run_command
from fusedet.common.machine import physical_cores
from fusedet.configs.inputs import model_file
from fusedet.deploy import DetectorPool
from fusedet.deploy.camera.sources import IMAGE_SUFFIXES, read_image
from fusedet.train.labelling.label import find_images, label_images

_FRAME_WH = (640, 480)
_RATE = re.compile(r"(\d+\.\d) (?:image|frame)s/s")


@dataclass(frozen=True)
class Run:
    """One run of one kind."""

    images_per_s: float
    cpu_ms: float


def detect(model: Path, source: Path, count: int, threads: int, *more: str) -> Run:
    """``fusedet detect`` in a process of its own."""
    arguments = ["detect", str(model), str(source), "--threads", str(threads), "--quiet", "--force", *more]
    with subprocess.Popen(
        [sys.executable, "-m", "fusedet.cli.main", *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        watched, said, cpu = psutil.Process(process.pid), "", 0.0
        assert process.stdout is not None
        for line in process.stdout:  # the first line is there when all images are done
            if not said:
                times = watched.cpu_times()
                said, cpu = line, times.user + times.system
    found = _RATE.search(said)
    if found is None:
        raise SystemExit(f"fusedet {' '.join(arguments)} said: {said!r}")
    return Run(float(found[1]), cpu / count * 1e3)


def label(model: Path, folder: Path, size: int, out: Path) -> Run:
    """What ``fusedet data label`` does, in this process."""
    pool, images = DetectorPool(model, size), find_images(folder)
    start, computed = time.perf_counter(), time.process_time()
    label_images(pool, images, out)
    seconds, cpu = time.perf_counter() - start, time.process_time() - computed
    return Run(len(images) / seconds, cpu / len(images) * 1e3)


def make_video(images: list[Path], out: Path) -> None:
    """A frame of each image."""
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), 25, _FRAME_WH)
    for path in images:
        writer.write(cv2.resize(read_image(path), _FRAME_WH))
    writer.release()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("nano"), help="exported file or preset with weights")
    parser.add_argument("--images", type=Path, required=True, help="folder of images")
    parser.add_argument("--count", type=int, default=500, help="images to take of it")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    model, cores = model_file(args.model), physical_cores()
    paths = sorted(path for path in args.images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)[: args.count]
    print(", ".join(f"{key} {value}" for key, value in facts().items()))
    print(f"{len(paths)} images, {args.rounds} rounds; medians, the highest ratio of a round in brackets")
    print(
        f"| | images/s, one | images/s, {cores} at a time | ratio | CPU ms an image, one | CPU ms, {cores} at a time |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder, video, out = (Path(temporary) / name for name in ("images", "video.mp4", "out"))
        folder.mkdir()
        for path in paths:
            shutil.copy(path, folder)
        make_video(paths, video)
        count, nothing = len(paths), "--no-images"
        kinds: dict[str, Callable[[int], Run]] = {
            "folder": lambda threads: detect(model, folder, count, threads, nothing),
            "folder, annotated images written": lambda threads: detect(
                model, folder, count, threads, "--out", str(out)
            ),
            "video": lambda threads: detect(model, video, count, threads, nothing),
            "`data label`": lambda threads: label(model, folder, threads, Path(temporary) / "labels.json"),
        }
        for name, measure in kinds.items():
            rounds = [(measure(1), measure(cores)) for _ in range(args.rounds)]
            one, all_cores = (list(runs) for runs in zip(*rounds, strict=True))
            ratios = [many.images_per_s / single.images_per_s for single, many in rounds]
            rates, computing = (
                [statistics.median(getattr(run, figure) for run in runs) for runs in (one, all_cores)]
                for figure in ("images_per_s", "cpu_ms")
            )
            ratio = f"{statistics.median(ratios):.2f} ({max(ratios):.2f})"
            print(f"| {name} | {rates[0]:.1f} | {rates[1]:.1f} | {ratio} | {computing[0]:.1f} | {computing[1]:.1f} |")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(run_command("parallel", main))
