import json
import logging
import shutil
from pathlib import Path

import pytest

from fusedet.common.errors import InputError
from fusedet.configs.starter import starter_model
from fusedet.deploy.bench.tuned import Tuned, read_tuned, tuned_path, write_tuned


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Path:
    """A model in a folder of its own."""
    return Path(shutil.copy(model, tmp_path / "best.onnx"))


def test_what_is_written_is_read_again(own: Path, caplog: pytest.LogCaptureFixture):
    assert read_tuned(own) is None
    path = write_tuned(own, Tuned(3, True), "because")
    assert path == own.with_name("best.onnx.tuned.json")
    assert read_tuned(own) == read_tuned(str(own)) == Tuned(3, True)
    write_tuned(own, Tuned(1, False), "because")
    assert read_tuned(own) == Tuned(1, False)
    assert sorted(file.name for file in own.parent.iterdir()) == ["best.onnx", "best.onnx.tuned.json"]
    assert not caplog.records


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:40],
        lambda text: "[]",
        lambda text: "null",
        lambda text: text.replace('"threads": 2', '"threads": 0'),
        lambda text: text.replace('"threads": 2', '"threads": true'),
        lambda text: text.replace('"spinning": false', '"spinning": "no"'),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: text.replace("measured_on", "measured_off"),
        lambda text: "\xff\xfe\x00",  # no UTF-8
    ],
)
def test_a_damaged_file_is_left_out_with_one_line(own: Path, caplog: pytest.LogCaptureFixture, change):
    path = write_tuned(own, Tuned(2, False), "because")
    before = path.read_text()
    path.write_text(change(before), encoding="latin-1")
    assert path.read_bytes() != before.encode()
    assert read_tuned(own) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "best.onnx" in record.message
    assert "\n" not in record.message


@pytest.mark.parametrize("key", ["cpu", "cores", "onnxruntime", "model_bytes"])
def test_a_file_of_another_machine_is_not_believed(own: Path, caplog: pytest.LogCaptureFixture, key: str):
    path = write_tuned(own, Tuned(2, False), "because")
    found = json.loads(path.read_text())
    found["measured_on"][key] = "another"
    path.write_text(json.dumps(found))
    assert read_tuned(own) is None
    (record,) = caplog.records
    assert f"{key} 'another', here" in record.message


def test_a_model_that_was_exported_anew_is_not_the_one_that_was_tuned(own: Path):
    write_tuned(own, Tuned(2, False), "because")
    own.write_bytes(own.read_bytes() + b"\0")
    assert read_tuned(own) is None


def test_beside_a_bundle_and_not_in_it(tmp_path: Path):
    folder = tmp_path / "best"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    assert write_tuned(folder, Tuned(2, False), "because") == tmp_path / "best.tuned.json"
    assert read_tuned(folder) == Tuned(2, False)
    assert [file.name for file in folder.iterdir()] == ["manifest.json"]


def test_a_bundle_may_be_the_folder_that_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "best").mkdir()
    monkeypatch.chdir(tmp_path / "best")
    assert tuned_path(Path(".")) == tmp_path / "best.tuned.json"


def test_starter_weights_keep_theirs_out_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = write_tuned(starter_model("nano"), Tuned(1, False), "because")
    assert path == tmp_path / "fusedet" / "nano.fused.onnx.tuned.json"
    assert read_tuned(starter_model("nano")) == Tuned(1, False)


def test_a_place_that_cannot_be_written_to_is_told(own: Path):
    own.with_name("best.onnx.tuned.json").mkdir()
    with pytest.raises(InputError, match=r"best\.onnx\.tuned\.json: cannot be written"):
        write_tuned(own, Tuned(1, False), "because")
    assert sorted(file.name for file in own.parent.iterdir()) == ["best.onnx", "best.onnx.tuned.json"]
