"""Commands as people type them who know another program."""

import argparse
from pathlib import Path

import pytest

from fusedet.cli.main import build_parser
from fusedet.cli.shared.foreign_words import known_command, known_words
from fusedet.configs import InputError
from fusedet.configs.reader.foreign_words import FOREIGN_COMMANDS, OPTIONS, SETTINGS
from fusedet.configs.reader.schema_keys import all_keys, json_schema, spelled_out
from fusedet.train.config import TrainConfig, load_train_config


def ours(line: str) -> str:
    """The whole command in our words; it can be parsed."""
    name, *arguments = known_command(line.split())
    parser = build_parser(name)
    words = known_words(parser, arguments)
    parsed = parser.parse_intermixed_args(words)
    assert isinstance(parsed, argparse.Namespace)
    return " ".join([name, *words])


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ("predict model=a.onnx source=b.jpg conf=0.3", "detect a.onnx --score 0.3 b.jpg"),
        ("detect --source b.jpg --weights a.onnx", "detect a.onnx b.jpg"),
        ("detect b.jpg --conf-thres=0.3 --view-img", "detect b.jpg --score 0.3 --show"),
        ("predict source=b.jpg show=True save=False", "detect --show b.jpg"),
        ("track a.onnx b.mp4", "detect --track a.onnx b.mp4"),
        ("val model=runs/a data=my_data", "eval runs/a --data my_data"),
        ("val runs/a --data my_data --batch-size 4", "eval runs/a --data my_data --batch 4"),
        ("export runs/a --imgsz 256 320 --half", "export runs/a --input-size 256 320 --half"),
        ("train nano --data d --epochs 5 --imgsz=256", "train nano data=d epochs=5 imgsz=256"),
        ("train --data d --model nano", "train nano data=d"),
        ("train model=nano data=d", "train nano data=d"),
        ("train tiny.yaml model={input_size:64}", "train tiny.yaml model={input_size:64}"),
        ("train nano --train.epochs 5", "train nano train.epochs=5"),
        ("train nano --weights runs/a/best.pt", "train nano weights=runs/a/best.pt"),
        ("train --resume runs/a --workers 0", "train --resume runs/a workers=0"),
        ("tune nano --search lr=1..2 --epochs 3 --out s", "tune nano epochs=3 --search lr=1..2 --out s"),
        ("run --source a.mp4 --weights nano --conf 0.3", "run a.mp4 model=nano score=0.3"),
        ("run a.yaml conf=0.3 cameras.door.loop=true", "run a.yaml score=0.3 cameras.door.loop=true"),
        ("detect a.onnx b.jpg --score 0.3", "detect a.onnx b.jpg --score 0.3"),
    ],
)
def test_words_of_others_become_ours(theirs: str, expected: str) -> None:
    if "save=False" in theirs:
        with pytest.raises(InputError, match=r"save=: .*--no-images"):
            ours(theirs)
        theirs = theirs.replace(" save=False", "")
    assert ours(theirs) == expected


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("detect b.jpg --imgsz 256", "--imgsz: .*fusedet export MODEL --input-size 256"),
        ("detect b.jpg device=0", "device=: .*CPU"),
        ("export runs/a --format onnx", "--format: .*ONNX"),
        ("detect b.jpg --save-txt", "--save-txt: --json FILE"),
    ],
)
def test_a_word_that_nothing_stands_for_is_answered(line: str, answer: str) -> None:
    with pytest.raises(InputError, match=answer):
        ours(line)


def test_the_words_of_the_tables_lead_to_what_is_there() -> None:
    known = all_keys(json_schema(TrainConfig))
    assert set(SETTINGS.values()) <= set(known)
    for word, key in SETTINGS.items():
        same = [one for one in known if one.rpartition(".")[2] == word]
        assert not same or key in same, f"{word} is a setting of its own"
    for command in FOREIGN_COMMANDS.values():
        build_parser(" ".join(word for word in command.split() if not word.startswith("-")))
    parsers = [build_parser(name) for name in ("detect", "eval", "export", "train", "data label")]
    options = {text for parser in parsers for action in parser._actions for text in action.option_strings}
    assert {one for words in OPTIONS.values() for one in words if one.startswith("--")} <= options


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("epochs=5", "train.epochs=5"),
        ("imgsz=256", "model.input_size=256"),
        ("batch=8", "train.batch=8"),
        ("batch-size=8", "train.batch=8"),
        ("data=my data", 'data.root="my data"'),
        ("data={root: x}", "data={root: x}"),
        ("data=", "data="),
        ("model=3", "model=3"),
        ("lr0=0.01", "optim.lr=0.01"),
        ("mosaic=0", "augment.mosaic=0"),
        ("train.epochs=5", "train.epochs=5"),
        ("no setting", "no setting"),
    ],
)
def test_a_short_setting_means_the_one_key_that_ends_so(text: str, whole: str) -> None:
    assert spelled_out([text], TrainConfig) == [whole]


@pytest.mark.parametrize("name", ["2024", "1e3", "true", "[v2] set", "a: x", "set #2", "*", "it's", "C:\\new", "zwölf"])
def test_a_setting_that_is_text_is_taken_as_it_stands(name: str) -> None:
    config = load_train_config("nano", [f"data.root={name}", f"train.out=runs/{name}", "train.init=null"])
    assert (config.data.root, config.train.out, config.train.init) == (Path(name), Path("runs", name), None)
    assert load_train_config("nano", [f'data.root="{name[0]}"']).data.root == Path(name[0])


def test_a_name_that_is_not_utf_8_is_told() -> None:
    with pytest.raises(InputError, match=r"data\.root: the text is not UTF-8"):
        load_train_config("nano", ["data.root=mod\udce8le"])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("epoch=5", "epoch: unknown key, did you mean 'epochs'?"),
        ("channels=16", "model.neck.channels, model.head.channels"),
        ("name=mine", "train.out=runs/my_run"),
        ("nonsense=1", "nonsense: unknown key"),
    ],
)
def test_a_short_setting_that_means_nothing_or_several_is_told(text: str, part: str) -> None:
    with pytest.raises(InputError) as error:
        load_train_config("nano", [text])
    assert part in str(error.value)


def test_a_setting_in_the_wrong_section_of_a_file_is_told_its_own() -> None:
    for override, key in (("train.lr=1", "optim.lr"), ("train.imgsz=64", "model.input_size")):
        with pytest.raises(InputError, match=f"did you mean '{key}'"):
            load_train_config("nano", [override])
