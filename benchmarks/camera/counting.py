"""Does a camera count right? A drawn video with a known number of people, watched by ``fusedet run``.

    python -m benchmarks.camera.counting --data coco80                       # the starter weights of every preset
    python -m benchmarks.camera.counting --data coco80 --train pico          # and pico, fine-tuned on drawn images
    python -m benchmarks.camera.counting --data coco80 --model best.fused.onnx --score 0.4 --seed 1

People are cut out of the photographs of ``annotations/train.json``, with a margin that fades out, and walk over a grey
floor in two lanes, never touching each other: those above to the right over a line, those below to the left over the
same line and through a zone. The last of each lane stops, before the line above, between line and zone below. Training
takes half of the cut-outs, the video the other half.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import run_command
from fusedet.common.errors import InputError
from fusedet.configs.starter import available, starter_checkpoint
from fusedet.deploy.detector.boxes import box_iou
from fusedet.train.data.coco import CocoDataset, Sample, load_coco

SIZE_HW = (480, 640)
_FPS = 15
#: Pixels that a walker moves from frame to frame, and from one walker's middle to the next one's in a lane.
_STEP, _APART = 6, 230
#: Height of a walker in pixels, and where the feet of the upper and of the lower lane are.
_HEIGHT, _FEET = 190, (220, 460)
#: Around a person, as a share of the height.
_MARGIN = 0.1
LINE: dict[str, Any] = {"name": "line", "start": [0.5, 1.0], "end": [0.5, 0.0]}  # to the right is in
ZONE: dict[str, Any] = {"name": "zone", "points": [[0.1, 0.7], [0.3, 0.7], [0.3, 1.0], [0.1, 1.0]]}


@dataclass(frozen=True)
class CutOut:
    """A person and a margin.

    Attributes:
        image: uint8 ``[H, W, 3]``, BGR.
        box_xyxy: of the person, in pixels of ``image``.
    """

    image: NDArray[np.uint8]
    box_xyxy: tuple[float, float, float, float]

    def of_height(self, height: float) -> "CutOut":
        """The same person, so many pixels high."""
        scale = height / (self.box_xyxy[3] - self.box_xyxy[1])
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(self.image, None, fx=scale, fy=scale, interpolation=method), np.uint8)
        left, top, right, bottom = (scale * side for side in self.box_xyxy)
        return CutOut(image, (left, top, right, bottom))


@dataclass(frozen=True)
class Walker:
    """A person who walks straight on until a place, and stays there.

    Attributes:
        person: in the size in which it is drawn.
        start: where the middle of the box is in the first frame, in pixels; outside of the frame.
        stop: where it stays.
        feet: lower side of the box.
    """

    person: CutOut
    start: float
    stop: float
    feet: float

    def box_at(self, frame: int) -> tuple[float, float, float, float]:
        """The box xyxy in a frame, which may lie outside of the image."""
        way = self.stop - self.start
        middle = self.start + float(np.copysign(min(abs(way), _STEP * frame), way))
        left, top, right, bottom = self.person.box_xyxy
        return middle - (right - left) / 2, self.feet - (bottom - top), middle + (right - left) / 2, self.feet


def cut_outs(dataset: CocoDataset, label: int, least_height: float = 120) -> list[CutOut]:
    """Everybody of a class who stands upright, is large, whole in the image, and has nobody of the class nearby."""
    found = []
    for sample in dataset.samples:
        image = None
        for i in np.flatnonzero((sample.labels == label) & ~sample.crowd):
            window = _window(sample, int(i), label, least_height)
            if window is None:
                continue
            image = cv2.imread(str(sample.path)) if image is None else image
            if image is None:
                raise InputError(f"{sample.path}: no image that can be read")
            left, top, right, bottom = window
            shift = np.array([left, top, left, top])
            box = (sample.boxes_xyxy[i] - shift).tolist()
            found.append(CutOut(np.asarray(image[top:bottom, left:right], np.uint8), tuple(box)))
    return found


def _window(sample: Sample, i: int, label: int, least_height: float) -> list[int] | None:
    """What is cut out around an object, xyxy in whole pixels; None where it does not suit."""
    left, top, right, bottom = (float(side) for side in sample.boxes_xyxy[i])
    width, height = right - left, bottom - top
    if height < least_height or not 1.6 < height / width < 4:
        return None
    if left < 2 or top < 2 or right > sample.width - 2 or bottom > sample.height - 2:
        return None  # cut off by the image's border
    margin = _MARGIN * height
    window = np.array([left - margin, top - margin, right + margin, bottom + margin])
    window = window.clip(0, [sample.width, sample.height] * 2).round()
    others = sample.boxes_xyxy[(sample.labels == label) & (np.arange(len(sample.labels)) != i)]
    if len(others) and box_iou(window[None].astype(np.float32), others).any():
        return None
    return [int(side) for side in window]


def walkers(people: Sequence[CutOut], above: int, below: int) -> list[Walker]:
    """Two lanes: ``above`` walk to the right, ``below`` to the left, and one more in each who stops.

    Raises:
        InputError: there are too few people.
    """
    if len(people) < above + below + 2:
        raise InputError(f"expected at least {above + below + 2} cut-outs, but there are {len(people)}")
    width = SIZE_HW[1]
    found = []
    for number, person in enumerate(people[: above + below + 2]):
        person = person.of_height(_HEIGHT)
        if number <= above:
            stop = 0.25 * width if number == above else width + _APART
            found.append(Walker(person, -_APART * (number + 0.5), stop, _FEET[0]))
        else:
            place = number - above - 1
            stop = 0.41 * width if place == below else -_APART
            found.append(Walker(person, width + _APART * (place + 0.5), stop, _FEET[1]))
    return found


def expected(above: int, below: int) -> dict[str, int]:
    """What is to be counted. Who stops above passes nothing, who stops below has passed the line."""
    return {"line in": above, "line out": below + 1, "zone enter": below, "zone leave": below}


def frames_of(everybody: Sequence[Walker]) -> int:
    """So many frames until all have arrived, and three seconds more."""
    return int(max(abs(walker.stop - walker.start) for walker in everybody) / _STEP) + 3 * _FPS


def draw_frame(everybody: Sequence[Walker], frame: int, floor: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One image of the video, uint8 ``[H, W, 3]``."""
    image = floor.copy()
    for walker in everybody:
        left, top, _, _ = walker.box_at(frame)
        _paste(image, walker.person, left, top)
    return image


def draw_video(path: Path, everybody: Sequence[Walker]) -> None:
    """Writes the video of all walkers from their start to their stop."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), _FPS, SIZE_HW[::-1])
    floor = _floor(np.random.default_rng(0))
    for frame in range(frames_of(everybody)):
        writer.write(draw_frame(everybody, frame, floor))
    writer.release()


def draw_set(root: Path, people: Sequence[CutOut], train: int, val: int, seed: int = 0) -> Path:
    """A COCO set to fine-tune on: one to four people of several sizes in an image, apart from each other."""
    generator = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    for split, count_of in (("train", train), ("val", val)):
        images, annotations = [], []
        for image_id in range(1, count_of + 1):
            image, name = _floor(generator), f"{split}-{image_id}.jpg"
            for left, top, right, bottom in _scatter(image, people, generator):
                box = [left, top, right - left, bottom - top]
                one = {"id": len(annotations) + 1, "image_id": image_id, "category_id": 1, "iscrowd": 0}
                annotations.append({**one, "bbox": box, "area": box[2] * box[3]})
            cv2.imwrite(str(root / "images" / name), image)
            images.append({"id": image_id, "file_name": name, "width": SIZE_HW[1], "height": SIZE_HW[0]})
        content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}
        (root / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return root


def _scatter(
    image: NDArray[np.uint8], people: Sequence[CutOut], generator: np.random.Generator
) -> Iterator[list[float]]:
    """Draws some people where there is room, partly outside at times, and tells their boxes within the image."""
    height, width = image.shape[:2]
    taken = np.zeros((0, 4), np.float32)
    for _ in range(generator.integers(1, 5)):
        person = people[generator.integers(len(people))].of_height(generator.uniform(0.8, 1.2) * _HEIGHT)
        left, top, right, bottom = person.box_xyxy
        x = generator.uniform(-0.4 * (right - left), width - 0.6 * (right - left))
        y = generator.uniform(0, height - (bottom - top))
        window = np.array([[x - left, y - top, x - left + person.image.shape[1], y - top + person.image.shape[0]]])
        if box_iou(window.astype(np.float32), taken).any():
            continue
        taken = np.vstack([taken, window]).astype(np.float32)
        _paste(image, person, x, y)
        box = np.array([x, y, x + right - left, y + bottom - top]).clip(0, [width, height] * 2)
        yield [float(side) for side in box]


def _floor(generator: np.random.Generator) -> NDArray[np.uint8]:
    """Grey of some brightness with a little noise."""
    level = generator.uniform(80, 160) + generator.normal(0, 4, (*SIZE_HW, 3))
    return level.clip(0, 255).astype(np.uint8)


def _paste(image: NDArray[np.uint8], person: CutOut, x: float, y: float) -> None:
    """Draws a person into an image, whose box begins at ``(x, y)``; the margin fades out."""
    height, width = image.shape[:2]
    left, top = round(x - person.box_xyxy[0]), round(y - person.box_xyxy[1])
    right, bottom = left + person.image.shape[1], top + person.image.shape[0]
    first_x, first_y, last_x, last_y = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if first_x >= last_x or first_y >= last_y:
        return
    inside = np.s_[first_y - top : last_y - top, first_x - left : last_x - left]
    alpha = _fading(person)[inside]
    under = image[first_y:last_y, first_x:last_x]
    under[:] = (alpha * person.image[inside] + (1 - alpha) * under).round().astype(np.uint8)


def _fading(person: CutOut) -> NDArray[np.float32]:
    """``[H, W, 1]``: 1 in the person's box, falling to 0 at the edges of the cut-out."""
    left, top, right, bottom = person.box_xyxy
    height, width = person.image.shape[:2]
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    across = np.minimum(x / max(left, 1), (width - x) / max(width - right, 1)).clip(0, 1)
    along = np.minimum(y / max(top, 1), (height - y) / max(height - bottom, 1)).clip(0, 1)
    return (along[:, None] * across)[..., None].astype(np.float32)


def count(model: Path | str, video: Path, score: float) -> dict[str, int]:
    """What ``fusedet run`` counts in a video, from its file of events, as ``{"line in": 12}``.

    Raises:
        InputError: it failed; the message is its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.jsonl"
        config = {
            "model": str(model),
            "score": score,
            "classes": ["person"],
            "threads": 1,
            "cameras": {"camera": {"source": str(video), "pace": False, "lines": [LINE], "zones": [ZONE]}},
            "outputs": {"events": {"path": str(events)}},
        }
        (Path(folder) / "camera.yaml").write_text(json.dumps(config))
        command = [sys.executable, "-m", "fusedet.cli.main", "run", str(Path(folder) / "camera.yaml")]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise InputError(done.stderr.strip().rpartition("\n")[2])
        lines = events.read_text().splitlines() if events.exists() else []
    records = [json.loads(line) for line in lines]
    return dict(Counter(f"{record['place']} {record['direction'] or record['kind']}" for record in records))


def fine_tune(preset: str, people: Sequence[CutOut], folder: Path, epochs: int, images: int) -> Path:
    """The exported file of a preset that learned from drawn images, beginning with its starter weights.

    Raises:
        subprocess.CalledProcessError: the training failed.
    """
    model = folder / f"{preset}.onnx"
    settings = [
        f"data.root={draw_set(folder / 'set', people, images, max(8, images // 10))}",
        f"train.out={folder / 'run'}",
        "train.init=starter",
        f"train.epochs={epochs}",
        "train.batch=16",
        "train.device=cpu",
        "train.report=false",
        "data.workers=0",
        "augment.mosaic=0.2",
        f"eval.every={max(1, epochs // 3)}",
    ]
    fusedet = [sys.executable, "-m", "fusedet.cli.main"]
    subprocess.run([*fusedet, "train", preset, *settings], check=True)
    subprocess.run([*fusedet, "export", str(folder / "run"), "--out", str(model)], check=True)
    return model.with_suffix(".fused.onnx")


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse_arguments(arguments)
    if args.train:
        starter_checkpoint(args.train)
        if args.out and (args.out / f"trained-{args.train}").exists():
            raise InputError(f"--out {args.out}: holds a training of {args.train} already; give its file to --model")
    dataset = load_coco(args.data / "annotations" / "train.json", args.data / "images")
    if "person" not in dataset.names:
        raise InputError(f"{dataset.source}: has no class person")
    people = cut_outs(dataset, dataset.names.index("person"))
    order = np.random.default_rng(0).permutation(len(people))
    shown, learned = ([people[i] for i in half] for half in (order[::2], order[1::2]))
    shown = [shown[i] for i in np.random.default_rng(args.seed).permutation(len(shown))]
    right = expected(args.above, args.below)
    print(f"{len(people)} cut-outs\n\n| model | score | {' | '.join(right)} |\n| --- | ---: |{' ---: |' * len(right)}")
    print(f"| expected | | {' | '.join(map(str, right.values()))} |", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        video = folder / "people.mp4"
        draw_video(video, walkers(shown, args.above, args.below))
        models = list(args.model or available())
        if args.train:
            models.append(fine_tune(args.train, learned, folder / f"trained-{args.train}", args.epochs, args.images))
        for model in models:
            for score in args.score:
                counted = count(model, video, score)
                figures = " | ".join(str(counted.get(name, 0)) for name in right)
                print(f"| {Path(model).name} | {score:g} | {figures} |", flush=True)
    return 0


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="images/, annotations/train.json")
    parser.add_argument("--model", nargs="+", help="exported files or presets (default: all starter weights)")
    parser.add_argument("--train", metavar="PRESET", help="fine-tune this one, too")
    parser.add_argument("--epochs", type=int, default=20, help="of fine-tuning (default: %(default)s)")
    parser.add_argument("--images", type=int, default=160, help="that it learns from (default: %(default)s)")
    parser.add_argument("--score", type=float, nargs="+", default=[0.25], help="score threshold (default: 0.25)")
    parser.add_argument("--above", type=int, default=12, help="walk to the right (default: %(default)s)")
    parser.add_argument("--below", type=int, default=8, help="walk to the left (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="who walks (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="keep the video and the training there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run_command("counting", main))
