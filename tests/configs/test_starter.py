from pathlib import Path

import pytest

from fusedet.configs import InputError, preset_names, starter


@pytest.fixture
def starters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the one that ships."""
    monkeypatch.setattr(starter, "_FOLDER", tmp_path)
    return tmp_path


def test_what_ships_belongs_to_presets() -> None:
    assert set(starter.available()) <= set(preset_names())
    for name in starter.available():
        assert starter.starter_checkpoint(name).is_file()
        assert starter.starter_model(name).is_file()


def test_files_are_found_by_their_preset(starters: Path) -> None:
    for name in ("pico.pt", "nano.pt", "nano.fused.onnx"):
        (starters / name).touch()
    assert starter.available() == ["nano", "pico"]
    assert starter.starter_checkpoint("pico") == starters / "pico.pt"
    assert starter.starter_model("nano") == starters / "nano.fused.onnx"


def test_presets_without_any_are_told(starters: Path) -> None:
    with pytest.raises(InputError, match=r"nano: this preset has no starter weights; those that have: none yet$"):
        starter.starter_model("nano")
    for name in ("pico.pt", "nano.pt", "nano.fused.onnx"):
        (starters / name).touch()
    with pytest.raises(InputError, match=r"pico: .*those that have: nano$"):
        starter.starter_model("pico")
    with pytest.raises(InputError, match=r"small: .*those that have: nano, pico$"):
        starter.starter_checkpoint("small")


def test_what_was_measured_of_each_is_known() -> None:
    models = starter.starter_models()
    assert sorted(model.name for model in models) == starter.available()
    for model in models:
        assert 0 < model.ap < model.ap50 < 1
        assert 0 < model.threshold < 1
    assert [model.ms for model in models] == sorted(model.ms for model in models)
