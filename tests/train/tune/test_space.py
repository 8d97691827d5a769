from collections.abc import Sequence
from pathlib import Path

import pytest

from fusedet.configs import InputError
from fusedet.train import TrainConfig
from fusedet.train.config import load_train_config
from fusedet.train.tune.space import Choice, Range, own_values, read_space


def config(more: Sequence[str] = ()) -> TrainConfig:
    return load_train_config("nano", ["data.root=x", *more])


@pytest.mark.parametrize(
    ("word", "axis"),
    [
        ("optim.lr=0.002..0.05:log", Range(0.002, 0.05, log=True)),
        ("augment.mosaic=0..1", Range(0, 1)),
        ("loss.topk=5..15", Range(5, 15, whole=True)),
        ("model.input_size=256..416:32", Range(256, 416, whole=True, step=32)),
        ("augment.translate=0..0.5:0.25", Range(0, 0.5, step=0.25)),
        ("optim.lr=1e-3..1e-2:log", Range(1e-3, 1e-2, log=True)),
        ("loss.box=5,7.5,10", Choice(("5", "7.5", "10"))),
        ("optim.name=muon,sgd", Choice(("muon", "sgd"))),
    ],
)
def test_what_may_be_said(word: str, axis: Range | Choice) -> None:
    assert read_space([word], config) == {word.partition("=")[0]: axis}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optim.lrr=0.1..1"], "optim.lrr: unknown key, did you mean 'lr'"),
        (["optim.lr=0.1"], r"--search: optim.lr: expected LOW..HIGH, .* but got '0.1'"),
        (["optim.lr=1..0.1"], "ends where it begins, or before"),
        (["optim.lr=0..0.1:log"], "begins above 0"),
        (["optim.lr=-1..0.1"], "optim.lr: must be greater than 0"),
        (["optim.lr=0.1..0.2:7"], "the step of 0.1..0.2:7 must be above 0 and at most 0.1"),
        (["optim.name=muon,lion"], "optim.name: must be 'muon', 'adamw' or 'sgd', but got 'lion'"),
        (["augment.mosaic=0..1", "augment.mosaic=0,1"], "augment.mosaic is named twice"),
        (["train.epochs=5..10"], "train.epochs cannot be searched"),
        (["data.root=a,b"], "data.root cannot be searched"),
        (["no.yaml"], "no.yaml.*there is no such file"),
        ([], "got nothing"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_space(words, config)


def test_a_file_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("optim: {lr: 0.002..0.05:log}\nloss.box: [5, 7.5]\naugment.mosaic: 0..1\n")
    words = ["optim.lr=0.002..0.05:log", "loss.box=5,7.5", "augment.mosaic=0..1"]
    assert read_space([str(file)], config) == read_space(words, config)


def test_the_configs_own_place() -> None:
    space = read_space(["augment.mosaic=0..1", "optim.name=muon,sgd"], config)
    assert own_values(space, config()) == {"augment.mosaic": 1.0, "optim.name": "muon"}
    assert own_values(read_space(["augment.mosaic=0..0.5"], config), config()) is None
    assert own_values(read_space(["optim.name=adamw,sgd"], config), config()) is None


def test_values_are_short_and_within_their_range() -> None:
    assert Range(0.0021234, 0.05).text(0.00212341) == "0.0021234"
    assert Range(0.002, 0.05).text(0.0123456789) == "0.01235"
    assert Range(5, 15, whole=True).text(7) == "7"
