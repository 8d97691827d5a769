"""What an input of the camera's aspect saves, and what it costs in accuracy.

    python -m benchmarks.speed.rectangles runs/nano-1/best.pt --data my_data --aspect 16:9 --sizes 320x320 320x192

Cuts the validation images, and the boxes with them, to the aspect, around the middle; exports the checkpoint at each
size; grades every file on the cut images; and lets the whole detector, letterbox and decoding included, look at them
in turn, enlarged to the size of a camera's image. A box of which less than half is left is taken out of the grading
(a region to ignore), because nobody could say whether it should be found.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import facts, run_command
from fusedet.common.errors import InputError
from fusedet.deploy import Detector
from fusedet.export import export_onnx
from fusedet.model import load_detector
from fusedet.train.config import EvalConfig
from fusedet.train.data.coco import Sample, load_coco
from fusedet.train.data.dataset import iterate_images
from fusedet.train.evaluation.evaluate import evaluate_model

#: Width in pixels of the images that are timed, as of a camera.
CAMERA_WIDTH = 1280
#: So many of them take turns.
FRAMES = 20


def cut(image: NDArray[np.uint8], aspect: float) -> tuple[NDArray[np.uint8], int, int]:
    """The middle of an image, of the aspect width / height, and how far it begins from left and top."""
    height, width = image.shape[:2]
    new_width, new_height = min(width, round(height * aspect)), min(height, round(width / aspect))
    left, top = (width - new_width) // 2, (height - new_height) // 2
    return image[top : top + new_height, left : left + new_width], left, top


def cut_annotations(sample: Sample, left: int, top: int, width: int, height: int) -> list[dict[str, Any]]:
    """COCO annotations of what is left of the sample's boxes; ``category_id`` is the class's index plus 1."""
    annotations = []
    boxes = sample.boxes_xyxy.astype(float) - [left, top, left, top]
    inside = boxes.clip(0, [width, height, width, height])
    for box, whole, label, crowd in zip(inside, boxes, sample.labels, sample.crowd, strict=True):
        area, before = ((b[2] - b[0]) * (b[3] - b[1]) for b in (box, whole))
        if area > 0:
            annotations.append(
                {
                    "category_id": int(label) + 1,
                    "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()],
                    "area": float(area),
                    "iscrowd": int(crowd or area < before / 2),
                }
            )
    return annotations


def cut_set(annotations: Path, images: Path, aspect: float, folder: Path) -> list[NDArray[np.uint8]]:
    """Writes the cut data set, and returns its first images at a camera's size."""
    dataset = load_coco(annotations, images)
    (folder / "images").mkdir(parents=True)
    content: dict[str, Any] = {"images": [], "annotations": []}
    content["categories"] = [{"id": i, "name": name} for i, name in enumerate(dataset.names, start=1)]
    frames = []
    for sample, image in iterate_images(dataset):
        part, left, top = cut(image, aspect)
        height, width = part.shape[:2]
        name = f"{sample.image_id}.png"
        cv2.imwrite(str(folder / "images" / name), part)
        content["images"].append({"id": sample.image_id, "file_name": name, "width": width, "height": height})
        for one in cut_annotations(sample, left, top, width, height):
            content["annotations"].append({"id": len(content["annotations"]) + 1, "image_id": sample.image_id, **one})
        if len(frames) < FRAMES:
            size = (CAMERA_WIDTH, round(CAMERA_WIDTH / aspect))
            frames.append(np.asarray(cv2.resize(part, size), np.uint8))
    (folder / "val.json").write_text(json.dumps(content))
    return frames


def time_frames(detectors: dict[str, Detector], frames: list[NDArray[np.uint8]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of whole calls; in each round every detector sees the same image, one after the other."""
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for i in range(rounds + 5):
        for name, detector in detectors.items():
            detector(frames[i % len(frames)])
            if i >= 5:
                times[name].append(detector.timings.total)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="images/ and annotations/val.json")
    parser.add_argument("--aspect", default="16:9", metavar="W:H")
    parser.add_argument("--sizes", nargs="+", default=["320x320", "320x192"], metavar="WxH")
    parser.add_argument("--nms", action="store_true", help="the branch with NMS")
    parser.add_argument("--rounds", type=int, default=200)
    args = parser.parse_args()
    try:
        wide, high = map(int, args.aspect.split(":"))
        sizes = {text: tuple(map(int, text.split("x"))) for text in args.sizes}
    except ValueError as error:
        raise InputError(f"--aspect and --sizes: expected W:H and WxH, but got {error}") from error
    net, meta = load_detector(args.checkpoint)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        annotations, images = args.data / "annotations" / "val.json", args.data / "images"
        frames = cut_set(annotations, images, wide / high, folder / "cut")
        files = {}
        for name, (width, height) in sizes.items():
            result = export_onnx(
                net, folder / f"{name}.onnx", names=meta["names"], input_size=(height, width), nms=args.nms
            )
            files[name] = result.fused
        times = time_frames({name: Detector(path, threads=1) for name, path in files.items()}, frames, args.rounds)
        print(", ".join(f"{key} {value}" for key, value in facts().items()))
        print(f"{len(list((folder / 'cut' / 'images').iterdir()))} images of {args.data.name} cut to {args.aspect}\n")
        print("| input | ms, quickest | median | of the first | AP50-95 | AP50 |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        first = min(next(iter(times.values())))
        for name, path in files.items():
            metrics = evaluate_model(path, folder / "cut" / "val.json", folder / "cut" / "images", EvalConfig())
            ms = times[name]
            print(
                f"| {name} | {min(ms):.2f} | {statistics.median(ms):.2f} | {min(ms) / first:.2f} "
                f"| {metrics.ap:.4f} | {metrics.ap50:.4f} |"
            )
    return 0


if __name__ == "__main__":
    sys.exit(run_command("rectangles", main))
