"""The settings that a search may change, and how far: ``optim.lr=0.002..0.05:log``, ``loss.box=5,7.5,10``."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusedet.common.errors import InputError
from fusedet.configs.reader.loader import load_config
from fusedet.configs.reader.validate import flat_settings, flatten
from fusedet.train.config import TrainConfig

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(log|{_NUMBER}))?")
_FORMS = "LOW..HIGH, LOW..HIGH:log, LOW..HIGH:STEP or at least two values between commas"
#: Settings without which trials could not be compared, or that the search itself decides.
_FIXED = re.compile(r"train\.(out|epochs|devices|nodes|report|loggers)|eval(\..*)?|data\.(root|val_.*)")


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included."""

    low: float
    high: float
    log: bool = False  # small ones are as likely as large ones
    whole: bool = False  # whole numbers only
    step: float | None = None  # from one to the next, counted from ``low``; None: all between

    def text(self, value: float) -> str:
        """As it stands in a config, short enough to be read."""
        return str(round(value)) if self.whole else f"{min(max(float(f'{value:.4g}'), self.low), self.high):g}"


@dataclass(frozen=True)
class Choice:
    """Some values, as they stand in a config."""

    values: tuple[str, ...]


Axis = Range | Choice


def read_space(words: Sequence[str], config: Callable[[Sequence[str]], TrainConfig]) -> dict[str, Axis]:
    """What ``--search`` says: ``KEY=RANGE``, ``KEY=VALUE,VALUE`` or YAML files that say such things.

    ``config`` gives the config with some settings changed, or raises InputError. Raises InputError if a key is unknown
    or not to be searched, a range is none, or one of its ends is not allowed.
    """
    space: dict[str, Axis] = {}
    for place, key, said in (entry for word in words for entry in _entries(word)):
        if key in space:
            raise InputError(f"{place}: {key} is named twice")
        if _FIXED.fullmatch(key):
            raise InputError(f"{place}: {key} cannot be searched: trials with other values could not be compared")
        space[key] = _axis(place, key, said, config)
    if not space:
        raise InputError(f"--search: expected KEY={_FORMS}, but got nothing")
    return space


def own_values(space: Mapping[str, Axis], config: TrainConfig) -> dict[str, float | str] | None:
    """The config's own place in the space; None where it has none."""
    settings, found = flat_settings(config), dict[str, float | str]()
    for key, axis in space.items():
        value = settings.get(key)
        if isinstance(axis, Choice):
            texts = [text for text in axis.values if text == _text(value)]
            if not texts:
                return None
            found[key] = texts[0]
        elif isinstance(value, int | float) and axis.low <= value <= axis.high:
            found[key] = value
        else:
            return None
    return found


def _entries(word: str) -> list[tuple[str, str, str | list[str]]]:
    """Place, key and what is said of it."""
    key, equals, said = word.partition("=")
    if equals:
        return [("--search", key, said)]
    found = flatten(load_config(Path(word)).data).items()
    return [(word, key, list(map(_text, value)) if isinstance(value, list) else _text(value)) for key, value in found]


def _text(value: Any) -> str:
    """A plain value as YAML has it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _axis(place: str, key: str, said: str | list[str], config: Callable[[Sequence[str]], TrainConfig]) -> Axis:
    found = _RANGE.fullmatch(said) if isinstance(said, str) else None
    if found is None:
        values = tuple(said if isinstance(said, list) else (part.strip() for part in said.split(",")))
        if len(set(values)) < 2 or not all(values):
            raise InputError(f"{place}: {key}: expected {_FORMS}, but got {said!r}")
        for value in values:
            config([f"{key}={value}"])
        return Choice(values)
    low, high, how = float(found[1]), float(found[2]), found[3]
    if not low < high:
        raise InputError(f"{place}: {key}: the range {said} ends where it begins, or before")
    if how == "log" and low <= 0:
        raise InputError(f"{place}: {key}: a range with :log begins above 0, but got {said}")
    step = None if how in (None, "log") else float(how)
    if step is not None and not 0 < step <= high - low:
        raise InputError(f"{place}: {key}: the step of {said} must be above 0 and at most {high - low:g}")
    for end in found[1], found[2]:
        config([f"{key}={end}"])
    whole = all(number == int(number) for number in (low, high, step or 1.0)) and not _allows(key, low, high, config)
    return Range(low, high, how == "log", whole, step)


def _allows(key: str, low: float, high: float, config: Callable[[Sequence[str]], TrainConfig]) -> bool:
    """Whether the setting takes fractions."""
    try:
        config([f"{key}={low + 0.37 * (high - low) + 0.001}"])
    except InputError:
        return False
    return True
