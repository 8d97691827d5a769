"""Which settings may change when a training is resumed."""

import copy
from collections.abc import Sequence

from fusedet.common.errors import InputError
from fusedet.configs.reader.loader import ConfigTree, override
from fusedet.configs.reader.validate import validate
from fusedet.model.checkpoint import Checkpoint
from fusedet.train.config import TrainConfig
from fusedet.train.run_folder import RunFolder

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
        InputError: the checkpoint holds no config, a value is wrong, or a setting that it needs was removed.
    """
    before = checkpoint.meta.get("config")
    unusable = f"{run.last}: cannot be resumed: it holds no config that this fusedet can use"
    if not isinstance(before, dict):
        raise InputError(unusable)
    if isinstance(before.get("train"), dict) and before["train"].get("guide") is not None:
        raise InputError(
            f"{run.last}: cannot be resumed: train.guide was removed from fusedet, so it would go on as another "
            f"training; train.init={run.best} starts one from its weights"
        )
    tree = ConfigTree(copy.deepcopy(before), str(run.last), {})
    try:
        config = validate(tree, TrainConfig)
    except InputError as error:
        raise InputError(unusable) from error
    return validate(override(tree, overrides), TrainConfig) if overrides else config
