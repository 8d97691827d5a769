from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from fusedet.configs import InputError, preset_names
from fusedet.configs.reader.loader import load_config
from fusedet.configs.reader.validate import dump_config, validate
from fusedet.train.config import TrainConfig, load_train_config


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Layer(Strict):
    width: int = Field(ge=1)
    kind: Literal["dense", "sparse"] = "dense"


class Section(Strict):
    rate: float = Field(0.1, gt=0, lt=1)
    fast: bool = False
    place: Path | None = None
    low: int = 0
    high: int = 1

    @model_validator(mode="after")
    def _ordered(self) -> "Section":
        if self.low > self.high:
            raise ValueError(f"low must not be above high, but got {self.low} and {self.high}")
        return self


class Config(Strict):
    layers: list[Layer] = Field(min_length=1)
    section: Section = Section()
    maybe: Section | None = None


GOOD = "layers:\n  - width: 3\n  - {width: 4, kind: sparse}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(text: str, *overrides: str) -> Config:
    Path("my.yaml").write_text(text)
    return validate(load_config("my.yaml", overrides), Config)


def test_a_good_config_is_an_instance_of_the_model() -> None:
    config = check(GOOD + "section: {rate: 1e-3, place: some/where}\n", "layers.0.width=7")
    assert [layer.width for layer in config.layers] == [7, 4]
    assert config.section == Section(rate=0.001, place=Path("some/where"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "section: {rate: 1}\n", "my.yaml:4: section.rate: must be less than 1, but got 1"),
        (GOOD + "section:\n  rate: fast\n", "my.yaml:5: section.rate: must be a valid number, but got 'fast'"),
        (GOOD + "section:\n  fast: yes\n", "my.yaml:5: section.fast: must be true or false, but got 'yes'"),
        (GOOD + "section:\n  low: '1'\n", "my.yaml:5: section.low: must be a valid integer, but got '1'"),
        (GOOD + "section:\n  low: true\n", "my.yaml:5: section.low: must be a valid integer, but got true"),
        (
            GOOD + "section:\n\n  rat: 1\n",
            "my.yaml:6: section.rat: unknown key, did you mean 'rate'?; the keys here are rate, fast, place, low, high",
        ),
        (
            GOOD + "section:\n  zzz: 1\n",
            "my.yaml:5: section.zzz: unknown key; the keys here are rate, fast, place, low, high",
        ),
        (
            GOOD + "maybe: {hihg: 1}\n",
            "my.yaml:4: maybe.hihg: unknown key, did you mean 'high'?; the keys here are rate, fast, place, low, high",
        ),
        (GOOD + "section: null\n", "my.yaml:4: section: must be a section (key: value), but got nothing"),
        (GOOD + "section: {low: 5}\n", "my.yaml:4: section: low must not be above high, but got 5 and 1"),
        ("section: {}\n", "my.yaml: layers: required, but missing"),
        ("layers:\n  - width: 1\n  - kind: dense\n", "my.yaml:3: layers.1.width: required, but missing"),
        ("layers: []\n", "my.yaml:1: layers: List must have at least 1 item, not 0"),
        ("layers: 5\n", "my.yaml:1: layers: must be a list, but got 5"),
        (
            "layers:\n  - {width: 1, kind: dens}\n",
            "my.yaml:2: layers.0.kind: must be 'dense' or 'sparse', but got 'dens'",
        ),
        (
            "layers:\n  - {width: 1, wdith: 2}\n",
            "my.yaml:2: layers.0.wdith: unknown key, did you mean 'width'?; the keys here are width, kind",
        ),
    ],
)
def test_each_error_names_line_key_expectation_and_value(text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        check(text)
    assert str(caught.value) == expected


def test_an_override_is_blamed_and_not_the_file() -> None:
    with pytest.raises(InputError, match=r"^command line: section\.rate: must be greater than 0, but got -1$"):
        check(GOOD + "section: {rate: 0.5}\n", "section.rate=-1")
    with pytest.raises(InputError, match=r"^command line: secton: unknown key, did you mean 'section'\?;"):
        check(GOOD, "secton.rate=0.5")


def test_several_errors_stand_in_one_line_and_the_rest_is_counted() -> None:
    with pytest.raises(InputError) as caught:
        check("layers:\n  - {width: 0}\n  - {width: -1}\n  - {width: -2}\n  - {width: -3}\n  - {width: -4}\n")
    text = str(caught.value)
    assert text.startswith("my.yaml:2: layers.0.width: ")
    assert "; my.yaml:3: layers.1.width: " in text
    assert "layers.3" not in text
    assert text.endswith(" (and 2 more)")
    assert caught.value.__cause__ is None  # it would quote every value


def test_a_long_value_is_cut_short() -> None:
    with pytest.raises(InputError) as caught:
        check(GOOD + f"section: {{rate: {'x' * 5000}}}\n")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("key", ["section", "maybe"])
def test_a_section_that_is_left_empty_has_its_defaults(key: str) -> None:
    assert getattr(check(GOOD + f"{key}:\n"), key) == Section()
    assert getattr(check(GOOD + f"{key}: # nothing yet\n", f"{key}.low=1"), key) == Section(low=1)
    assert check(GOOD + "maybe: null\n").maybe is None


def test_a_list_that_is_left_empty_is_the_default_and_a_value_is_none() -> None:
    with pytest.raises(InputError, match=r"^my\.yaml:1: layers: required, but missing$"):
        check("layers:\n")
    with pytest.raises(InputError, match=r"section\.low: must be a valid integer, but got nothing$"):
        check(GOOD + "section:\n  low:\n")


def test_an_empty_section_over_a_base_leaves_what_the_base_says() -> None:
    Path("below.yaml").write_text(GOOD + "section: {rate: 0.5}\n")
    assert check("base: below.yaml\nsection:\n").section.rate == 0.5


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_survives_a_dump(name: str) -> None:
    config = load_train_config(name)
    Path("dump.yaml").write_text(dump_config(config))
    assert load_train_config("dump.yaml") == config


def test_every_setting_survives_a_dump() -> None:
    config = load_train_config(
        "nano",
        [
            "model.input_size=[256, 320]",
            "data={root: 'my data', cache: none}",
            "train={out: '1e-3', init: a/b.pt}",
            "optim.lr=1e-05",
            "optim.clip_norm=.inf",
        ],
    )
    Path("dump.yaml").write_text(dump_config(config))
    loaded = load_train_config("dump.yaml")
    assert loaded == config
    assert loaded.train.out == Path("1e-3")
    assert loaded.data.val_annotations == Path("my data/annotations/val.json")


@pytest.mark.parametrize("name", ["2024", " blank ", "tail.", "[v2] set", "true", "a: x"])
def test_a_folder_of_any_name_is_taken_as_it_stands(name: str) -> None:
    assert load_train_config("nano", [f"data.root={name}"]).data.root == Path(name)


def test_a_null_that_may_be_the_name_of_a_folder_is_asked_for() -> None:
    assert load_train_config("nano", ["data.root=null"]).data.root is None
    Path("null").mkdir()
    with pytest.raises(InputError, match=r"data\.root: null means none; a folder of this name is \./null$"):
        load_train_config("nano", ["data.root=null"])
    assert load_train_config("nano", ["data.root=./null"]).data.root == Path("null")


@pytest.mark.parametrize(("value", "size"), [("256", (256, 256)), ("[192, 320]", (192, 320))])
def test_input_size_is_one_side_or_two(value: str, size: tuple[int, int]) -> None:
    assert load_train_config("nano", [f"model.input_size={value}"]).model.input_size == size


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.input_size=321", "command line: model.input_size.0: must be a multiple of 32, but got 321"),
        ("model.input_size=[320]", "command line: model.input_size.1: required, but missing"),
        ("model.stages.0.channels=20", "command line: model.stages.0.channels: must be a multiple of 16, but got 20"),
        ("train.epoch=3", "command line: train.epoch: unknown key, did you mean 'epochs'?"),
        ("optim.name=adam", "command line: optim.name: must be 'muon', 'adamw' or 'sgd', but got 'adam'"),
    ],
)
def test_training_settings(override: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        load_train_config("nano", [override])
    assert expected in str(caught.value)


def test_the_model_is_the_only_section_without_a_default() -> None:
    assert [name for name, field in TrainConfig.model_fields.items() if field.is_required()] == ["model"]
