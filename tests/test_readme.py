"""What the documents tell people to type: each command line must be one that fusedet and the Makefile accept."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusedet.cli.main import COMMANDS, build_parser
from fusedet.configs import InputError, preset_names
from fusedet.train.config import load_train_config
from fusedet.train.loop.start import check_changes
from tests import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def code_lines(text: str) -> Iterator[str]:
    """Lines of fenced and of indented code blocks, continued lines joined."""
    fenced = False
    for line in text.replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip().removeprefix("$ ")


def commands(text: str) -> list[str]:
    return [line for line in code_lines(text) if line.startswith("fusedet ")]


def make_targets(text: str) -> list[str]:
    """First targets of the ``make`` lines in code blocks and in `code like this`."""
    lines = [line for line in code_lines(text) if line.startswith("make ")] + re.findall(r"`(make [^`]+)`", text)
    return [shlex.split(line, comments=True)[1] for line in lines]


def check(line: str) -> None:
    """Fails where fusedet would refuse the command line for its arguments alone.

    Raises:
        InputError: a preset, a key or a value of a training is wrong.
        SystemExit: argparse refuses an argument.
    """
    words = shlex.split(line, comments=True)[1:]
    length = 2 if " ".join(words[:2]) in COMMANDS else 1
    name, arguments = " ".join(words[:length]), words[length:]
    if name.startswith("-"):
        assert name in ("--help", "--version"), line
        return
    assert name in COMMANDS, f"no command is called {name!r}: {line}"
    if "--help" in arguments:
        return
    args = build_parser(name).parse_intermixed_args(arguments)
    if name == "train" and args.resume is not None:
        check_changes([text for text in (args.config, *args.overrides) if text is not None])
    elif name == "train" and args.config is not None:
        if Path(args.config).suffix not in (".yaml", ".yml"):
            assert args.config in preset_names(), f"no preset is called {args.config!r}: {line}"
        # A file of the reader's own is not there: its settings are those of a preset that it may begin from.
        load_train_config(args.config if args.config in preset_names() else "nano", args.overrides)


def in_documents(find: object) -> list[object]:
    """One test case for each thing found, named by its document."""
    assert callable(find)
    return [
        pytest.param(thing, id=f"{path.name}: {thing}")
        for path in DOCUMENTS
        for thing in dict.fromkeys(find(path.read_text(encoding="utf-8")))
    ]


@pytest.mark.parametrize("line", in_documents(commands))
def test_commands_in_documents(line: str) -> None:
    check(line)


def examples(name: str) -> list[str]:
    """Commands in the help of the command called ``name``."""
    text = build_parser(name).epilog or ""
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [line.strip() for line in lines if line.startswith("  fusedet ") and ">>" not in line]


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_in_help(name: str) -> None:
    for line in examples(name):
        check(line)


def test_examples_in_help_are_found() -> None:
    assert "fusedet train nano data=my_data epochs=50" in examples("train")
    assert any("--search" in line and "--out" in line for line in examples("tune"))


@pytest.mark.parametrize("target", in_documents(make_targets))
def test_make_targets_in_documents(target: str) -> None:
    assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_readme_shows_the_whole_way() -> None:
    shown = {line.split()[1] for line in commands(DOCUMENTS[0].read_text(encoding="utf-8"))}
    assert shown >= {"train", "eval", "export", "detect"}


def test_how_code_is_found() -> None:
    text = """\
fusedet is no command here.

```sh
$ fusedet train nano \\
    data.root=x   # why
pip install fusedet
make test
```
    fusedet info a.onnx
fusedet neither here; but `make check`
"""
    assert [shlex.split(line, comments=True) for line in commands(text)] == [
        ["fusedet", "train", "nano", "data.root=x"],
        ["fusedet", "info", "a.onnx"],
    ]
    assert make_targets(text) == ["test", "check"]


@pytest.mark.parametrize(
    "line",
    [
        "fusedet trian nano",
        "fusedet train nanoo",
        "fusedet train nano data.rot=x",
        "fusedet train my.yaml train.epochs=many",
        "fusedet export run --outt models",
        "fusedet detect",
        "fusedet --verbose",
    ],
)
def test_mistakes_are_seen(line: str) -> None:
    with pytest.raises((AssertionError, InputError, SystemExit)):
        check(line)
