"""What ``import fusedet`` offers: the whole way from a data set to detections in a few lines of Python."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fusedet
from fusedet import Detector, evaluate, export_onnx, train
from fusedet.common.errors import InputError
from fusedet.train.config import TrainConfig
from tests import ROOT
from tests.train.conftest import NAMES, draw_rectangles

TINY = """
model:
  input_size: 64
  stages: [{channels: 16, block: fused}, {channels: 16}, {channels: 16}, {channels: 16}]
  neck: {channels: 16, kernel: 3}
  head: {channels: 16, depth: 1, kernel: 3}
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_rectangles(tmp_path_factory.mktemp("data") / "drawn set", train=8, val=4, size=64)


def test_from_a_data_set_to_detections(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    model = train(tmp_path / "tiny.yaml", data=drawn, epochs=2, batch=4, out=tmp_path / "run", workers=0)
    assert model.finished
    assert model.best.is_file()
    assert 0 <= model.metrics["ap"] <= 1
    assert str(model).startswith(f"{tmp_path / 'run'}: AP {model.metrics['ap']:.3f}, AP50 ")
    exported = model.export(tmp_path / "model.onnx")
    again = export_onnx(model.path, tmp_path / "again.onnx")
    assert again.contract == exported.contract
    assert evaluate(exported.fused, drawn).ap == pytest.approx(evaluate(model.path, drawn).ap, abs=1e-3)
    assert Detector(exported.fused)(np.zeros((64, 64, 3), np.uint8)).names == tuple(NAMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epoch": 3}, r"train: unknown argument 'epoch', did you mean 'epochs'"),
        ({"channels": 16}, r"unknown argument 'channels'.*settings="),
        ({"epochs": "many"}, r"^train: train\.epochs: .*'many'"),
        ({"epochs": 2.5}, r"train\.epochs: .*2\.5"),
        ({"imgsz": 100}, r"model\.input_size.*multiple of 32"),
        ({"input_size": "320px"}, r"model\.input_size: "),
        ({"device": "gpu"}, r"train\.device.*'gpu'"),
        ({"settings": "augment.mosaik=0"}, r"augment\.mosaik: unknown key, did you mean 'mosaic'"),
        ({"config": "nanno"}, r"'nanno'.*did you mean 'nano'"),
        ({"data": "no/such/folder"}, r"no/such/folder: expected a folder"),
    ],
)
def test_wrong_arguments_are_told_in_words(drawn: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(**{"config": "nano", "data": drawn, **arguments})  # type: ignore[operator]


def test_arguments_of_numpy_and_of_other_programs_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class StopError(Exception):
        pass

    def stop(config: TrainConfig, name: str) -> None:
        seen.append(config)
        raise StopError

    monkeypatch.setattr("fusedet.facade.train_from_config", stop)
    with pytest.raises(StopError):
        train("pico", data=Path("my data"), epochs=np.int64(3), lr0=np.float32(0.5), imgsz=(64, 96), batch=None)
    (config,) = seen
    assert (config.data.root, config.train.epochs, config.optim.lr) == (Path("my data"), 3, 0.5)
    assert (config.model.input_size, config.train.batch) == ((64, 96), None)


def test_names_come_when_they_are_used() -> None:
    assert fusedet.__version__
    assert set(fusedet.__all__) <= set(dir(fusedet))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fusedet.nothing  # noqa: B018
    code = "import sys, fusedet; fusedet.Detector, fusedet.__version__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent).returncode == 0


def test_the_package_can_be_called_however_it_was_imported() -> None:
    code = (
        "import fusedet.train.config; from fusedet import train; import fusedet.train as again; assert train is again"
    )
    assert subprocess.run([sys.executable, "-c", code + "; assert callable(train)"], cwd=ROOT.parent).returncode == 0
