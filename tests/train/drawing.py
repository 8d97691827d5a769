"""Tiny COCO sets, drawn: filled rectangles (class ``box``) and circles (class ``disc``) on grey."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fusedet.train.data.coco import annotation

CATEGORIES = [{"id": 3, "name": "box"}, {"id": 7, "name": "disc"}]


def draw_set(root: Path, train: int = 6, val: int = 3, size: tuple[int, int] = (64, 96), seed: int = 0) -> Path:
    """``root/images`` and ``root/annotations/{train,val}.json``; images are ``size`` = (height, width)."""
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    rng = np.random.default_rng(seed)
    for split, count in (("train", train), ("val", val)):
        content: dict[str, Any] = {"images": [], "annotations": [], "categories": CATEGORIES}
        for image_id in range(1, count + 1):
            image = np.full((*size, 3), 90, np.uint8)
            for category in CATEGORIES:
                side = int(rng.integers(16, 28))
                x, y = int(rng.integers(0, size[1] - side)), int(rng.integers(0, size[0] - side))
                if category["name"] == "box":
                    cv2.rectangle(image, (x, y), (x + side - 1, y + side - 1), (40, 40, 230), -1)
                else:
                    cv2.circle(image, (x + side // 2, y + side // 2), side // 2, (230, 200, 40), -1)
                number = len(content["annotations"]) + 1
                entry = annotation(number, image_id, category["id"], [x, y, side, side], side * side)
                content["annotations"].append(entry)
            name = f"{split}-{image_id}.png"
            cv2.imwrite(str(root / "images" / name), image)
            content["images"].append({"id": image_id, "file_name": name, "width": size[1], "height": size[0]})
        (root / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return root
