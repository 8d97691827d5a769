"""Which settings may change when a training is resumed."""

from collections.abc import Sequence

from pydantic import ValidationError

from fusedet.common.errors import InputError
from fusedet.configs.loader import ConfigTree, override
from fusedet.configs.validate import validate
from fusedet.model.checkpoint import Checkpoint
from fusedet.train.config import TrainConfig
from fusedet.train.run_folder import RunFolder

__all__ = ["CHANGEABLE", "check_changes", "config_to_resume"]

#: Where and how fast a training runs, and what helps one that diverged. Anything else would make it another training.
CHANGEABLE = (
    "data.cache",
    "data.workers",
    "optim.clip_norm",
    "optim.lr",
    "train.device",
    "train.devices",
    "train.loggers",
    "train.nodes",
    "train.patience",
    "train.precision",
    "train.save_minutes",
    "train.timeout_minutes",
)


def check_changes(overrides: Sequence[str]) -> None:
    """Makes sure that only what may change is to be changed.

    Raises:
        InputError: another setting is, or there is something else than ``key=value``.
    """
    for text in overrides:
        key = text.partition("=")[0]
        if "=" not in text or key not in CHANGEABLE:
            raise InputError(
                f"--resume goes on with the run's own config, so {text!r} has no place here; "
                f"only {', '.join(CHANGEABLE)} may change"
            )


def config_to_resume(run: RunFolder, checkpoint: Checkpoint, overrides: Sequence[str]) -> TrainConfig:
    """The config of a run, with what the user changes.

    Raises:
        InputError: the checkpoint holds no config, or a value is wrong.
    """
    try:
        config = TrainConfig.model_validate(checkpoint.meta.get("config"))
    except ValidationError as error:
        raise InputError(f"{run.last}: cannot be resumed: it holds no config that this fusedet can use") from error
    if not overrides:
        return config
    tree = ConfigTree(config.model_dump(mode="json"), str(run.last), {})
    return validate(override(tree, overrides), TrainConfig)
