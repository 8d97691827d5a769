"""A training of seconds on images and classes whose names are no HTML, and what it left."""

import json
import shutil
from pathlib import Path

import pytest

from fusedet.train import train
from tests.train.drawing import draw_set
from tests.train.trainings import tiny_config

EVIL = '<b>box & "co"</b>'


def draw_evil_set(root: Path) -> Path:
    """A drawn set, one class and one image of which have names that would be HTML."""
    draw_set(root, train=8, val=4, size=(64, 64))
    for split in ("train", "val"):
        file = root / "annotations" / f"{split}.json"
        content = json.loads(file.read_text())
        content["categories"][0]["name"] = EVIL
        for image in content["images"]:
            name = f"<i>{image['file_name']}"
            (root / "images" / image["file_name"]).rename(root / "images" / name)
            image["file_name"] = name
        file.write_text(json.dumps(content))
    return root


@pytest.fixture(scope="session")
def evil_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_evil_set(tmp_path_factory.mktemp("report") / "data")


@pytest.fixture(scope="session")
def finished(evil_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a training that is done; tests read it, and write elsewhere."""
    run = tmp_path_factory.mktemp("report") / "run<u>"
    assert train(tiny_config(evil_data, run, report=True)).finished
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "run"))
