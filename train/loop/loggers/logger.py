"""What a logger does, and what it is told at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Ending:
    """How a training ended."""

    finished: bool  # False where it was interrupted and can go on
    best: Mapping[str, float]  # figures of the best epoch; empty where none was evaluated
    best_checkpoint: Path
    #: files to keep with the figures, those of them that there are: the report, the curves, the config
    artifacts: tuple[Path, ...]


class Logger(Protocol):
    """One place that figures are sent to. Whatever goes wrong may be raised: see :class:`Steady`."""

    def begin(self, settings: Mapping[str, Any]) -> None:
        """The training begins, or goes on: all settings by their whole key, such as ``train.epochs``."""
        ...

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """An epoch is done, counted from 1; no figure is NaN."""
        ...

    def finish(self, ending: Ending) -> None:
        """The training is over."""
        ...

    def close(self) -> None:
        """Gives back what is open, also where nothing was begun."""
        ...
