"""Configs of earlier versions."""

import logging
from pathlib import Path

import pytest

from fusedet.configs import InputError
from fusedet.configs.reader.loader import load_config
from fusedet.configs.reader.strict import FormerKey, StrictModel
from fusedet.configs.reader.validate import validate
from fusedet.train.config import load_train_config


class Section(StrictModel):
    pace: int = 1


class Config(StrictModel):
    former_keys = {"section.speed": FormerKey("section.pace"), "old.gone": FormerKey(unused=0), "old": FormerKey()}  # noqa: RUF012

    section: Section = Section()


def check(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "my.yaml"
    file.write_text(text)
    return validate(load_config(file), Config)


def test_a_key_that_was_renamed_still_sets_its_value(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert check(tmp_path, "section:\n  speed: 5\n").section.pace == 5
    assert caplog.messages == [f"{tmp_path}/my.yaml:2: section.speed is called section.pace now"]
    assert check(tmp_path, "section: {pace: 7, speed: 5}").section.pace == 7


def test_an_error_in_a_renamed_key_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"my\.yaml:3: section\.pace: must be a valid integer, but got 'fast'"):
        check(tmp_path, "section:\n\n  speed: fast\n")


def test_a_key_that_was_removed_is_ignored_and_noted_where_it_did_something(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert check(tmp_path, "old: {gone: 0}\nsection: {pace: 3}").section.pace == 3
    assert check(tmp_path, "old:\n  gone: 2").section.pace == 1
    assert f"{tmp_path}/my.yaml:2: old.gone was removed from fusedet and is ignored" in caplog.messages
    assert not [text for text in caplog.messages if ":1: old.gone" in text]


def test_keys_that_never_were_stay_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"section\.haste: unknown key"):
        check(tmp_path, "section: {haste: 5}")


def test_a_training_config_with_a_guide_loads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("base: pico\nloss: {guide: 1.0}\ntrain:\n  guide: picodet.onnx\n")
    with caplog.at_level(logging.WARNING):
        assert load_train_config(file) == load_train_config("pico")
    assert caplog.messages == [f"{file}:4: train.guide was removed from fusedet and is ignored"]
    load_train_config("pico", ["loss.guide=0.5"])
    assert caplog.messages[-1] == "command line: loss.guide was removed from fusedet and is ignored"
