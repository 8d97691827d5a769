"""A clean drawn set, and what tests need to spoil it."""

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np

NAMES = ("box", "disc", "cross")
WIDTH, HEIGHT = 128, 96


def draw_clean_set(root: Path, train: int, val: int, seed: int = 0) -> Path:
    """``root/images`` and ``root/annotations/{train,val}.json``: images unlike each other, three objects in each.

    Training image ``i`` has the id ``i + 1``, and its annotations have the ids ``3 * i + 1`` to ``3 * i + 3``, of the
    categories 1 to 3; ids of the other half start at 10001. Every tenth image is a PNG, the others are JPEGs.
    """
    rng = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    for split, count, first in (("train", train, 1), ("val", val, 10001)):
        content: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
        content["categories"] = [{"id": i, "name": name} for i, name in enumerate(NAMES, start=1)]
        for i in range(count):
            pixels, boxes = draw_image(rng)
            name = f"{split}-{i}.{'png' if i % 10 == 9 else 'jpg'}"
            cv2.imwrite(str(root / "images" / name), pixels)
            content["images"].append({"id": first + i, "file_name": name, "width": WIDTH, "height": HEIGHT})
            for k, box in enumerate(boxes):
                entry = {"id": first + 3 * i + k, "image_id": first + i, "category_id": k + 1, "bbox": box}
                content["annotations"].append({**entry, "area": box[2] * box[3], "iscrowd": 0})
        (root / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return root


def draw_image(rng: np.random.Generator) -> tuple[np.ndarray, list[list[int]]]:
    """Clouds with a rectangle, a disc and a cross side by side, and their boxes."""
    clouds = rng.integers(20, 150, (5, 7, 3), dtype=np.uint8)
    pixels = cv2.resize(clouds, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    boxes = []
    for k in range(3):
        side = int(rng.integers(24, 36))
        x, y = 42 * k + int(rng.integers(0, 42 - side)), int(rng.integers(0, HEIGHT - side))
        color = [int(v) for v in rng.integers(180, 256, 3)]
        if k == 0:
            cv2.rectangle(pixels, (x, y), (x + side - 1, y + side - 1), color, -1)
        elif k == 1:
            cv2.circle(pixels, (x + side // 2, y + side // 2), side // 2, color, -1)
        else:
            cv2.line(pixels, (x, y), (x + side - 1, y + side - 1), color, 5)
            cv2.line(pixels, (x + side - 1, y), (x, y + side - 1), color, 5)
        boxes.append([x, y, side, side])
    return pixels, boxes


class DrawnSet:
    """A set on disk with its annotations in memory, to be changed and written."""

    def __init__(self, root: Path) -> None:
        self.root, self.image_folder = root, root / "images"
        self.content = {
            name: json.loads((root / "annotations" / f"{name}.json").read_text()) for name in ("train", "val")
        }

    @property
    def train(self) -> dict[str, Any]:
        return self.content["train"]

    @property
    def val(self) -> dict[str, Any]:
        return self.content["val"]

    def image(self, i: int, split: str = "train") -> dict[str, Any]:
        entry: dict[str, Any] = self.content[split]["images"][i]
        return entry

    def objects(self, i: int) -> list[dict[str, Any]]:
        """The three annotations of training image ``i``."""
        entries: list[dict[str, Any]] = self.train["annotations"][3 * i : 3 * i + 3]
        return entries

    def path(self, i: int) -> Path:
        return self.image_folder / f"train-{i}.{'png' if i % 10 == 9 else 'jpg'}"

    def write(self) -> None:
        for name, content in self.content.items():
            (self.root / "annotations" / f"{name}.json").write_text(json.dumps(content))


def add_exif(path: Path, orientation: int) -> None:
    """Puts an EXIF segment with an orientation behind the first marker of a JPEG."""
    tiff = b"MM\0*" + struct.pack(">I", 8) + struct.pack(">H", 1) + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    body = b"Exif\0\0" + tiff + struct.pack(">I", 0)
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])
