"""The loggers that a config names."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from fusedet.common.errors import InputError
from fusedet.train.loop.loggers.logger import Logger
from fusedet.train.loop.loggers.steady import Steady
from fusedet.train.run_folder import RunFolder


def check_loggers(names: Sequence[str]) -> None:
    """Makes sure, before any work, that what ``train.loggers`` names is installed.

    Raises:
        InputError: it is not.
    """
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
