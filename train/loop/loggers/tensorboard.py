"""TensorBoard: event files in the run folder."""

from collections.abc import Mapping
from typing import Any

from lightning_fabric.loggers import TensorBoardLogger

from fusedet.train.loop.loggers.logger import Ending
from fusedet.train.run_folder import RunFolder


class TensorBoard:
    """Writes ``tensorboard/``."""

    def __init__(self, run: RunFolder) -> None:
        self._board = TensorBoardLogger(run.path, name="tensorboard", version="")

    def begin(self, settings: Mapping[str, Any]) -> None:
        """They are in ``config.yaml``."""

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """See :class:`fusedet.train.loop.loggers.Logger`."""
        self._board.log_metrics(dict(figures), epoch)
        self._board.save()

    def finish(self, ending: Ending) -> None:
        """Nothing more to write."""

    def close(self) -> None:
        """See :class:`fusedet.train.loop.loggers.Logger`."""
        self._board.experiment.close()
