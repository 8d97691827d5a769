import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fusedet.train.data.doctor.check import Report, validate_splits
from fusedet.train.data.doctor.source import read_split
from tests.train.data.doctor.drawing import DrawnSet, draw_clean_set


def check(root: Path, *, fast: bool = False, input_size: int = 128) -> Report:
    """All rules over the two halves of a set."""
    names = [name for name in ("train", "val", "test") if (root / "annotations" / f"{name}.json").exists()]
    splits = [read_split(name, root / "annotations" / f"{name}.json", root / "images") for name in names]
    return validate_splits(splits, (input_size, input_size), fast=fast)


@pytest.fixture(scope="session")
def clean_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough for no rule to say anything."""
    return draw_clean_set(tmp_path_factory.mktemp("doctor") / "clean", train=100, val=20)


@pytest.fixture(scope="session")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many images as there are faults to plant."""
    return draw_clean_set(tmp_path_factory.mktemp("doctor") / "small", train=55, val=20)


@pytest.fixture
def spoiled(small_root: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a copy of the small set with some faults in it."""

    def make(*plants: Callable[[DrawnSet], object]) -> Path:
        root = tmp_path / "spoiled"
        shutil.copytree(small_root, root)
        drawn = DrawnSet(root)
        for plant in plants:
            plant(drawn)
        drawn.write()
        return root

    return make
