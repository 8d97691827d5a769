"""TensorBoard: event files in the run folder."""

from collections.abc import Mapping

from lightning_fabric.loggers import TensorBoardLogger

from fusedet.train.loop.loggers.logger import Logger
from fusedet.train.run_folder import RunFolder


class TensorBoard(Logger):
    """Writes ``tensorboard/``."""

    def __init__(self, run: RunFolder) -> None:
        self._board = TensorBoardLogger(run.path, name="tensorboard", version="")

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """See :class:`Logger`."""
        self._board.log_metrics(dict(figures), epoch)
        self._board.save()

    def close(self) -> None:
        """See :class:`Logger`."""
        self._board.experiment.close()
