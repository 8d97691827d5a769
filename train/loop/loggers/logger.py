"""What a logger does, one that cannot stop a training, and those that a config names."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten
from typing import Any

from fusedet.common.atomic import write_text
from fusedet.common.errors import InputError
from fusedet.train.run_folder import RunFolder

#: In the run folder.
_IDS = "loggers.json"


@dataclass(frozen=True)
class Ending:
    """How a training ended."""

    finished: bool  # False where it was interrupted and can go on
    best: Mapping[str, float]  # figures of the best epoch; empty where none was evaluated
    best_checkpoint: Path
    #: files to keep with the figures, those of them that there are: the report, the curves, the config
    artifacts: tuple[Path, ...]


class Logger:
    """One place that figures are sent to. Whatever goes wrong may be raised: see :class:`Steady`."""

    def begin(self, settings: Mapping[str, Any]) -> None:
        """The training begins, or goes on: all settings by their whole key, such as ``train.epochs``."""

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """An epoch is done, counted from 1; no figure is NaN."""

    def finish(self, ending: Ending) -> None:
        """The training is over."""

    def close(self) -> None:
        """Gives back what is open, also where nothing was begun."""


class Steady:
    """Passes everything on to a logger, and tells once what goes wrong there.

    What could not be sent waits: it is tried again with every later epoch, so that a server that was away misses
    nothing.
    """

    def __init__(self, name: str, logger: Logger, settings: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self._name, self._logger, self._settings, self._say = name, logger, settings, say
        self._unsent: list[tuple[Mapping[str, float], int]] = []
        self._begun = self._told = False

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """See :class:`Logger`."""
        self._unsent.append((figures, epoch))
        self._try(self._send)

    def finish(self, ending: Ending) -> None:
        """See :class:`Logger`."""
        if self._try(self._send):
            self._try(lambda: self._logger.finish(ending))

    def close(self) -> None:
        """See :class:`Logger`."""
        self._try(self._logger.close)

    def _send(self) -> None:
        if not self._begun:
            self._logger.begin(self._settings)
            self._begun = True
        while self._unsent:
            self._logger.log(*self._unsent[0])
            self._unsent.pop(0)

    def _try(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except Exception as error:
            if not self._told:
                reason = shorten(str(error), 300, placeholder=" ...") or type(error).__name__
                self._say(f"{self._name}: {reason}; the training goes on, and what is missing is sent when it can be")
            self._told = True
            return False
        return True


def known_id(run: RunFolder, logger: str) -> str | None:
    """Under which id a server knows the training, so that a resumed one goes on there as the same; None: not yet."""
    path = run.path / _IDS
    found = json.loads(path.read_text()).get(logger) if path.exists() else None
    return None if found is None else str(found)


def keep_id(run: RunFolder, logger: str, identity: str) -> None:
    """What :func:`known_id` gives from now on."""
    path = run.path / _IDS
    known = json.loads(path.read_text()) if path.exists() else {}
    write_text(path, json.dumps({**known, logger: identity}) + "\n")


def check_loggers(names: Sequence[str]) -> None:
    """Makes sure, before any work, that what ``train.loggers`` names is installed. Raises InputError if it is not."""
    for name in names:
        if name != "tensorboard" and find_spec(name) is None:
            raise InputError(f"train.loggers: {name} is not installed: pip install 'fusedet[{name}]'")


def open_loggers(
    names: Sequence[str], run: RunFolder, settings: Mapping[str, Any], say: Callable[[str], None]
) -> list[Steady]:
    """One for each name; nothing is sent before the first epoch is done."""
    return [Steady(name, _logger(name, run), settings, say) for name in names]


def _logger(name: str, run: RunFolder) -> Logger:
    """Their packages are imported when they are named."""
    if name == "mlflow":
        from fusedet.train.loop.loggers.mlflow import MLflowLogger

        return MLflowLogger(run)
    if name == "wandb":
        from fusedet.train.loop.loggers.wandb import WandbLogger

        return WandbLogger(run)
    from fusedet.train.loop.loggers.tensorboard import TensorBoard

    return TensorBoard(run)
