"""The starter weights: their recipe, what ships of a checkpoint, and the card, on a tiny network."""

from pathlib import Path

import cv2
import pytest

from benchmarks.starter import __main__ as benchmark
from benchmarks.starter import curve
from benchmarks.starter.__main__ import (
    card,
    evaluate,
    latest_best,
    publish,
    read_rounds,
    train_rounds,
    with_places,
)
from fusedet.configs import starter
from fusedet.configs.reader.loader import preset_names
from fusedet.model import load_checkpoint
from fusedet.train.config import load_train_config
from fusedet.train.data.coco import load_coco
from fusedet.train.run_folder import RunFolder
from tests.train.conftest import draw_set

TINY = """
model:
  input_size: 64
  stages: [{channels: 16}, {channels: 16}, {channels: 16}, {channels: 16}]
  neck: {channels: 16, kernel: 3}
  head: {channels: 16, depth: 1, kernel: 3}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``out`` with two rounds of a tiny network, beside its data."""
    folder = tmp_path_factory.mktemp("starter")
    (folder / "tiny.yaml").write_text(TINY)
    settings = ["train.epochs=1", "train.device=cpu", "train.report=false", "data.workers=0"]
    assert train_rounds(str(folder / "tiny.yaml"), draw_set(folder / "data"), [], folder / "out", [settings] * 2)
    return folder


def test_the_recipe_can_be_trained() -> None:
    for name in preset_names():
        for settings in with_places(read_rounds(name)):
            load_train_config(name, settings)


def test_a_round_starts_from_the_one_before_and_is_not_done_twice(trained: Path) -> None:
    rounds = [RunFolder(trained / "out" / "tiny" / f"round-{number}") for number in (1, 2)]
    assert latest_best("tiny", trained / "out") == rounds[1].best
    assert load_checkpoint(rounds[1].last).meta["config"]["train"]["init"] == str(rounds[0].best)
    before = rounds[1].last.read_bytes()
    settings = [["train.epochs=1"]] * 2
    assert train_rounds(str(trained / "tiny.yaml"), trained / "data", [], trained / "out", settings)
    assert rounds[1].last.read_bytes() == before


def test_what_ships_runs_and_tells_of_no_machine(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "_FOLDER", tmp_path)
    publish("nano", latest_best("tiny", trained / "out"), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nano.fused.onnx", "nano.pt"]
    for path in tmp_path.iterdir():
        assert str(trained).encode() not in path.read_bytes()
    coco = trained / "data"
    exported, network = (
        evaluate(starter.starter_model("nano"), coco),
        evaluate(starter.starter_checkpoint("nano"), coco),
    )
    assert exported["ap"] == pytest.approx(network["ap"], abs=1e-3)


def test_the_curves_of_what_was_trained_here_are_kept_and_drawn(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, image = tmp_path / "curves.json", tmp_path / "curve.png"
    kept.write_text('{"nano": [[50, null, 0.1], [100, 0.5, 0.2]], "tiny": [[3, 0.1, 0.3]]}')
    monkeypatch.setattr(curve, "CURVES", kept)
    monkeypatch.setattr(benchmark, "CURVES", kept)
    monkeypatch.setattr(benchmark, "CURVE_IMAGE", image)
    benchmark.publish_curves(["nano", "tiny"], trained / "out", benchmark.count_images([trained / "data"]))
    curves = curve.read_curves()
    assert curves["nano"] == [[50, None, 0.1], [100, 0.5, 0.2]]
    (row,) = curves["tiny"]
    assert row[0] == len(
        load_coco(trained / "data" / "annotations" / "train.json", trained / "data" / "images").samples
    )
    assert cv2.imread(str(image)) is not None


def test_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    point = {"threshold": 0.3, "duplicate_share": 0.004}
    figures = {"ap": 0.12, "ap50": 0.25, "ap_small": None, "ap_medium": 0.1, "ap_large": 0.3, "operating_point": point}
    figures |= {"per_class": {"cat": 0.2, "person": 0.4}, "thresholds": {"cat": 0.15, "person": None}}
    both = {"exported": figures, "nms_free": {**figures, "ap": 0.11}}
    results = {
        "date": "2026-01-02",
        "facts": {"cpu": "a slow one"},
        "presets": {"nano": both},
        "peers": {"other": {**figures, "per_class": {"person": 0.3}}},
    }
    text = card(results, benchmark.CARD_FRAME.read_text(encoding="utf-8"), {"nano": [["train.epochs=7"]]})
    assert "| nano | 0.120 | 0.250 | - | 0.100 | 0.300 | 0.400 | 0.300 | 0.30 | 0.4 % |" in text
    assert "| nano, NMS-free | 0.110 | 0.250 |" in text
    assert "| other | 0.120 | 0.250 | - | 0.100 | 0.300 | 0.300 | 0.300 | 0.30 | 0.4 % |" in text
    assert text.index("| person | 0.400 | - |") < text.index("| cat | 0.200 | 0.150 |")
    assert "`nano`:\n\n1. `train.epochs=7`" in text
    assert "{{" not in text
