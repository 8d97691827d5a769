import json

import jsonschema
import pytest
import yaml

from fusedet.configs import preset_names, preset_path
from fusedet.configs.reader.loader import load_config
from fusedet.configs.reader.schema import config_schema
from fusedet.train.config import TrainConfig

PACKAGED = preset_path("nano").with_name("schema.json")


def errors(text: str) -> list[str]:
    """What an editor would underline."""
    validator = jsonschema.Draft202012Validator(config_schema(TrainConfig))
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


def test_the_packaged_schema_is_current() -> None:
    assert json.loads(PACKAGED.read_text()) == config_schema(TrainConfig), (
        "settings have changed; run: fusedet schema --out configs/schema.json --force"
    )


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(config_schema(TrainConfig))


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_satisfies_the_schema(name: str) -> None:
    jsonschema.validate(load_config(name).data, config_schema(TrainConfig))


@pytest.mark.parametrize(
    "text",
    [
        "base: nano",
        "base: nano\nmodel: {input_size: 320}",
        "base: nano\nmodel: {input_size: [320, 416]}",
        "base: other.yaml\ndata: {root: my_data}\noptim: {lr: 0.001}",
        "{}",
    ],
)
def test_what_the_loader_takes_the_editor_takes(text: str) -> None:
    assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "base: 3",
        "trian: {}",
        "train: {epoch: 3}",
        "train: {epochs: '3'}",
        "model: {reparam: 'yes'}",
        "model: {input_size: 321}",
        "model: {input_size: [320, 320, 320]}",
        "optim: {name: adam}",
    ],
)
def test_what_the_loader_refuses_the_editor_underlines(text: str) -> None:
    assert len(errors(text)) == 1
