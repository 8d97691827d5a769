"""What ships, as ``fusedet models`` lists it."""

import json

import pytest

from fusedet.cli.main import main
from fusedet.configs.starter import available


def test_every_network_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[0] for line in lines[1 : 1 + len(available())]) == available()
    assert all(len(line) < 120 for line in lines)


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    models = json.loads(capsys.readouterr().out)
    assert {model["name"] for model in models} == set(available())
    assert {"ap", "ms", "bytes", "licence", "file", "input_size"} <= set(models[0])
