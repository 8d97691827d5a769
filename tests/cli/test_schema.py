import json
from pathlib import Path

import jsonschema
import pytest

from fusedet.cli.main import main


def test_it_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert {"base", "model", "data", "train"} <= json.loads(capsys.readouterr().out)["properties"].keys()


def test_it_knows_the_config_of_cameras(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "camera"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"cameras", "outputs", "serve"} <= schema["properties"].keys()
    camera = {"model": "nano", "cameras": {"door": {"source": 0}}}
    assert jsonschema.Draft202012Validator(schema).is_valid(camera)
    assert not jsonschema.Draft202012Validator(schema).is_valid({**camera, "scoer": 0.3})


def test_it_writes_a_file_and_replaces_none_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "schema.json"
    assert main(["schema", "--out", str(out)]) == 0
    written = out.read_text()
    assert json.loads(written)["properties"]
    assert main(["schema", "--out", str(out)]) == 2
    assert "this file exists" in capsys.readouterr().err
    out.write_text("old")
    assert main(["schema", "--out", str(out), "--force"]) == 0
    assert out.read_text() == written
