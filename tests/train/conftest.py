import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fusedet.train import TrainConfig
from fusedet.train.data.coco import CocoDataset, annotation, load_coco
from tests.train.drawing import draw_set
from tests.train.trainings import draw_no_curves, tiny_config

COLORS = [(220, 60, 60), (60, 200, 60), (60, 60, 220)]
NAMES = ["blue", "green", "red"]


def draw_rectangles(root: Path, train: int, val: int, size: int, seed: int = 0) -> Path:
    """A COCO-format set of coloured rectangles on noise, one to three in each image; ids are sparse on purpose."""
    rng = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    for split, count in (("train", train), ("val", val)):
        images, annotations = [], []
        for i in range(count):
            image = rng.integers(90, 140, (size, size, 3), dtype=np.uint8)
            for _ in range(rng.integers(1, 4)):
                width, height = (int(side) for side in rng.integers(size // 5, size // 2, 2))
                x, y = int(rng.integers(0, size - width)), int(rng.integers(0, size - height))
                color = int(rng.integers(0, 3))
                image[y : y + height, x : x + width] = COLORS[color]
                number, box = len(annotations) + 1, [x, y, width, height]
                annotations.append(annotation(number, 10 * i + 7, 2 * color + 5, box, width * height))
            name = f"{split}-{i}.png"
            cv2.imwrite(str(root / "images" / name), image)
            images.append({"id": 10 * i + 7, "file_name": name, "width": size, "height": size})
        categories = [{"id": 2 * i + 5, "name": name} for i, name in enumerate(NAMES)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="session")
def rectangles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_rectangles(tmp_path_factory.mktemp("data") / "rectangles", train=12, val=4, size=64)


@pytest.fixture
def tiny(rectangles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """A training of seconds."""
    draw_no_curves(monkeypatch)
    return tiny_config(rectangles, tmp_path / "run", epochs=4)


@pytest.fixture
def drawn_root(tmp_path: Path) -> Path:
    """A set of this test's own, to spoil: 6 images of 96 x 64 to learn from, 3 to grade on."""
    return draw_set(tmp_path / "drawn")


@pytest.fixture
def drawn(drawn_root: Path) -> CocoDataset:
    """Its training half."""
    return load_coco(drawn_root / "annotations" / "train.json", drawn_root / "images")
