import shutil
from pathlib import Path

import pytest

from tests.cli.test_wrong_input import CONFIG
from tests.train.data.doctor.drawing import draw_clean_set
from tests.train.trainings import draw_no_curves


@pytest.fixture(scope="session")
def clean_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clean_set(tmp_path_factory.mktemp("clean") / "drawn", train=55, val=20)


@pytest.fixture
def here(clean_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the config ``tiny.yaml`` and the set ``drawn``."""
    monkeypatch.chdir(tmp_path)
    draw_no_curves(monkeypatch)
    shutil.copytree(clean_set, tmp_path / "drawn")
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return tmp_path
