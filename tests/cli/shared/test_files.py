from pathlib import Path

import pytest

from fusedet.cli.shared.files import exported_from, refuse_to_replace
from fusedet.configs import InputError, starter
from fusedet.configs.inputs import EXPORTED_FIRST, model_file, or_starter
from fusedet.deploy import Detector
from tests.deploy.conftest import NAMES


def test_a_run_folder_means_its_best_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"this folder has no best\.pt"):
        model_file(tmp_path)
    (tmp_path / "best.pt").touch()
    assert model_file(tmp_path) == tmp_path / "best.pt"
    assert model_file(tmp_path / "best.pt") == tmp_path / "best.pt"


def test_what_runs_exported_files_takes_the_first_of_a_run_folder(tmp_path: Path) -> None:
    for name in reversed(EXPORTED_FIRST):
        (tmp_path / name).touch()
        assert model_file(tmp_path, of_run=EXPORTED_FIRST) == tmp_path / name


def test_a_checkpoint_is_exported_for_a_command_that_needs_a_file(run_folder: Path) -> None:
    made = exported_from(run_folder / "best.pt")
    assert Detector(made).names == NAMES
    assert run_folder not in made.parents


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    refuse_to_replace("--out", path, force=False)
    refuse_to_replace("--out", None, force=False)
    path.write_text("mine")
    with pytest.raises(InputError, match=r"--out .*this file exists.*--force"):
        refuse_to_replace("--out", path, force=False)
    refuse_to_replace("--out", path, force=True)


@pytest.mark.parametrize(("name", "expected"), [("", "this is a folder"), ("no/such/file", "there is no folder")])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        refuse_to_replace("--out", tmp_path / name, force=True)


def test_the_name_of_a_preset_means_its_starter_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "weights"
    weights.mkdir()
    monkeypatch.setattr(starter, "_FOLDER", weights)
    with pytest.raises(InputError, match=r"nano: no such model file"):
        model_file(Path("nano"))
    for name in ("nano.pt", "nano.fused.onnx"):
        (weights / name).touch()
    assert model_file(Path("nano")) == weights / "nano.fused.onnx"
    assert or_starter(Path("nano"), starter.starter_checkpoint) == weights / "nano.pt"
    Path("nano").touch()  # the user's own file comes first
    assert model_file(Path("nano")) == or_starter(Path("nano")) == Path("nano")
