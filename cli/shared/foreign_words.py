"""Arguments in the words of other programs, put into ours (configs/reader/foreign_words.py) before they are parsed."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from fusedet.common.errors import InputError
from fusedet.configs.reader.foreign_words import ANSWERS, FOREIGN_COMMANDS, NO_SETTINGS, OPTIONS

#: What a positional argument is called that takes settings.
_SETTINGS = "KEY=VALUE"
#: Settings of ``fusedet run`` that people write as options; its source stands in place of the config.
_CAMERA_KEYS = ("model=", "score=", "source=")
_ASSIGNMENT = re.compile(r"([a-zA-Z][\w-]*)=(.*)", re.DOTALL)


def known_command(arguments: Sequence[str]) -> list[str]:
    """The arguments with our name of the command in front, where another program's stands there."""
    if not arguments or arguments[0] not in FOREIGN_COMMANDS:
        return list(arguments)
    return [*FOREIGN_COMMANDS[arguments[0]].split(), *arguments[1:]]


def known_words(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> list[str]:
    """The arguments of a command with words that it knows: ``--conf 0.3`` and ``conf=0.3`` become ``--score 0.3``.

    A command that takes settings has ``--epochs 5`` as ``epochs=5``. What is no word of anybody stays as it is.

    Raises:
        InputError: a word stands for nothing that the command has; the message says what to do instead.
    """
    return _Words(parser).replace(arguments)


class _Words:
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        actions = parser._actions  # argparse has no public way to tell what a parser takes
        self._options = {text: action for action in actions for text in action.option_strings}
        self._positional = [str(action.metavar) for action in actions if not action.option_strings]
        self._keys = _CAMERA_KEYS if parser.prog == "fusedet run" else ()
        self._trains = _SETTINGS in self._positional and not self._keys
        self._named: dict[str, str] = {}
        self._settings: list[str] = []

    def replace(self, arguments: Sequence[str]) -> list[str]:
        """See :func:`known_words`."""
        rest, pending = [], list(arguments)
        has_config = any(not word.startswith("-") and "=" not in word for word in arguments)
        while pending:
            word = pending.pop(0)
            if word == "--":
                rest += [word, *pending]
                break
            if word.startswith("--") and word.partition("=")[0] not in self._options:
                rest += self._option(word, pending)
            elif (found := _ASSIGNMENT.match(word)) and not Path(word).exists():
                rest += self._assignment(word, found[1], found[2], has_config)
            else:
                rest.append(word)
        return self._in_order(rest)

    def _in_order(self, rest: list[str]) -> list[str]:
        """Named arguments where they belong, and settings behind the config, before options that take many values."""
        first, *others = [*self._positional, ""]
        ahead = [self._named[first]] if first in self._named else []
        place = 0 if ahead else 1 if rest and not rest[0].startswith("-") else len(rest)
        last = [self._named[name] for name in others if name in self._named]
        return [*ahead, *rest[:place], *self._settings, *rest[place:], *last]

    def _option(self, word: str, pending: list[str]) -> list[str]:
        """``--word`` that the command lacks; its value may be the next of the ``pending`` words."""
        name, equals, value = word.removeprefix("--").partition("=")
        ours = self._ours(name)
        if ours is None and not self._is_setting(name):
            _answer(name, f"--{name}")
            return [word]
        takes_none = ours in self._options and self._options[str(ours)].nargs == 0
        if not equals and not takes_none:
            value = pending.pop(0) if pending and not pending[0].startswith("--") else "true"
        return self._put(ours or f"{name.replace('-', '_')}=", value or "true")

    def _assignment(self, word: str, name: str, value: str, has_config: bool) -> list[str]:
        """``word=value``: a setting where the command has such, else an argument of the command."""
        ours = self._ours(name)
        if self._trains and not (ours == "CONFIG" and not has_config):
            return [word]
        if self._keys and (ours in (None, f"--{name}") or ours == f"{name}=" != "source="):
            return [word]  # a setting of the camera config, as serve={...} is beside --serve
        if ours is None:
            _answer(name, f"{name}=")
            return [word]
        return self._put(ours, value)

    def _ours(self, name: str) -> str | None:
        """What the command calls it: an option, an argument in capitals, a setting with an equals sign, or None."""
        candidates = (*OPTIONS.get(name.replace("-", "_"), ()), name.upper(), f"--{name.replace('_', '-')}")
        have = {*self._options, *self._positional, *self._keys}
        return next((one for one in candidates if one in have), None)

    def _is_setting(self, name: str) -> bool:
        """Of a training: of its config, dotted or not."""
        if not self._trains:
            return False
        from fusedet.configs.reader.schema_keys import all_keys, full_key, json_schema
        from fusedet.train.config import TrainConfig

        known = all_keys(json_schema(TrainConfig))
        return name in known or name in NO_SETTINGS or full_key(name, known) is not None

    def _put(self, ours: str, value: str) -> list[str]:
        """The words for a value that was written under the name of another program."""
        if ours == "source=":
            self._named["CONFIG"] = value
        elif ours.endswith("="):
            self._settings.append(f"{ours}{value}")
        elif ours in self._positional:
            self._named[ours] = value
        elif self._options[ours].nargs == 0:
            return [] if value.lower() in ("false", "0", "no") else [ours]
        else:
            return [ours, value]
        return []


def _answer(name: str, written: str) -> None:
    answer = ANSWERS.get(name.replace("-", "_"))
    if answer is not None:
        raise InputError(f"{written}: {answer}")
