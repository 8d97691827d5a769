"""Begins a training, or goes on with one: checks what the user gave, then hands over to the trainer."""

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from lightning_fabric import Fabric

from fusedet.common.atomic import remove_parts, write_text
from fusedet.common.errors import InputError
from fusedet.configs.reader.loader import ConfigTree, override
from fusedet.configs.reader.schema_keys import spelled_out
from fusedet.configs.reader.validate import dump_config, validate
from fusedet.model.checkpoint import Checkpoint, load_checkpoint
from fusedet.train.config import TrainConfig
from fusedet.train.data.coco import CocoDataset
from fusedet.train.data.training_sets import annotation_digest, load_sets
from fusedet.train.devices.collectives import explain_lost_rank
from fusedet.train.devices.fabric import build_fabric, count_processes
from fusedet.train.devices.memory import keep_memory
from fusedet.train.loop.loggers.logger import check_loggers
from fusedet.train.loop.preparation import read_images, resolve_defaults, with_batch
from fusedet.train.loop.progress import TrainingProgress
from fusedet.train.loop.trainer import Trainer, TrainResult
from fusedet.train.run_folder import RunFolder
from fusedet.train.transfer.finetune import plan_transfer

#: Where and how fast a training runs, and what helps one that diverged. Anything else would make it another training.
CHANGEABLE = (
    *("data.cache", "data.workers", "optim.clip_norm", "optim.lr"),
    *("train.device", "train.devices", "train.loggers", "train.nodes", "train.patience", "train.precision"),
    *("train.save_minutes", "train.timeout_minutes"),
)


def train(config: TrainConfig, name: str = "run", progress: TrainingProgress | None = None) -> TrainResult:
    """Trains a network from the beginning.

    Args:
        config: everything there is to say; ``config.data`` must name images and annotations.
        name: of the run folder, where ``config.train.out`` does not say.
        progress: what is told how it goes; left out, the terminal. What it raises ends the training.

    Raises:
        InputError: the data or a setting cannot be used; nothing has been written then.
    """
    keep_memory()
    check_loggers(config.train.loggers)
    sets = load_sets(config.data)
    config = resolve_defaults(config, sets[0])
    transfer = plan_transfer(config, sets[0].names)
    RunFolder.check_free(config.train.out)
    fabric = build_fabric(config.train)
    with explain_lost_rank("start it again"), progress or _on_the_terminal(config, fabric) as progress:
        config = with_batch(config, fabric, sets[0], progress)
        data = read_images(config, *sets, fabric, progress)
        run = _new_run(config, name, fabric)  # what the user gave has passed: not before now is anything written
        with _held(run, fabric):
            trainer = Trainer(config, fabric, run, data)
            if transfer is not None:
                trainer.take_over(transfer)
                for line in transfer.report:
                    progress.say(line)
            return trainer.fit(progress)


def resume(path: Path, overrides: Sequence[str] = (), progress: TrainingProgress | None = None) -> TrainResult:
    """Goes on with an interrupted training, exactly where its last checkpoint was written.

    Args:
        path: the run folder, or its ``last.pt``. The run's own config is used.
        overrides: ``key=value`` for settings that may change on the way: :data:`CHANGEABLE`.
        progress: see :func:`train`.

    Raises:
        InputError: there is no such run, another process trains there, its data have changed, or another setting was
            to change.
    """
    keep_memory()
    overrides = spelled_out(overrides, TrainConfig)
    check_changes(overrides)
    run = RunFolder.find(path)
    checkpoint = load_checkpoint(run.last)
    config = _config_to_resume(run, checkpoint, overrides)
    count_processes(config.train)
    check_loggers(config.train.loggers)
    sets = load_sets(config.data)
    _check_same_data(checkpoint, run, sets[0])
    fabric = build_fabric(config.train)
    with (
        explain_lost_rank("start it again"),
        _held(run, fabric),
        progress or _on_the_terminal(config, fabric) as progress,
    ):
        if fabric.is_global_zero:
            remove_parts(run.path)
        _say_changed_annotations(checkpoint, sets, progress)
        trainer = Trainer(config, fabric, run, read_images(config, *sets, fabric, progress))
        try:
            trainer.load(checkpoint)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{run.last}: cannot be resumed: its state is not that of such a training") from error
        return trainer.fit(progress)


def check_changes(overrides: Sequence[str]) -> None:
    """Raises InputError if another setting is to change than those that may, or for what is not ``key=value``."""
    for text in overrides:
        key = text.partition("=")[0]
        if "=" not in text or key not in CHANGEABLE:
            raise InputError(
                f"--resume goes on with the run's own config, so {text!r} has no place here; "
                f"only {', '.join(CHANGEABLE)} may change"
            )


def _config_to_resume(run: RunFolder, checkpoint: Checkpoint, overrides: Sequence[str]) -> TrainConfig:
    """The config of a run, with what the user changes. Raises InputError if there is none, or a change is wrong."""
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


def _on_the_terminal(config: TrainConfig, fabric: Fabric) -> TrainingProgress:
    return TrainingProgress(config.train.epochs, fabric.is_global_zero)


def _new_run(config: TrainConfig, name: str, fabric: Fabric) -> RunFolder:
    """Made by the first process, known to all."""
    run: RunFolder | None = None
    if fabric.is_global_zero:
        run = RunFolder.create(name, config.train.out)
        with run.explained_full_disk():
            write_text(run.config, dump_config(config))
    run = fabric.broadcast(run)
    assert run is not None
    return run


def _held(run: RunFolder, fabric: Fabric) -> AbstractContextManager[None]:
    """The first process holds the folder for all of them."""
    return run.held() if fabric.is_global_zero else nullcontext()


def _say_changed_annotations(
    checkpoint: Checkpoint, sets: tuple[CocoDataset, CocoDataset], progress: TrainingProgress
) -> None:
    """Corrected boxes are no reason to stop, but the training is no longer the one that was interrupted."""
    before = checkpoint.meta.get("annotations")  # those of earlier versions do not say it
    for dataset, digest in zip(sets, before if isinstance(before, list) else (), strict=False):
        if annotation_digest(dataset) != digest:
            progress.say(
                f"the annotations in {dataset.source} have changed since the training stopped: it goes on with the new "
                "ones, and does not become what it would have without"
            )


def _check_same_data(checkpoint: Checkpoint, run: RunFolder, train_set: CocoDataset) -> None:
    """A training that went on with other images would not be the one that was interrupted."""
    before = checkpoint.meta.get("names")
    if list(train_set.names) != before:
        raise InputError(
            f"{run.last}: was trained on the classes {before}, but {train_set.source} has {list(train_set.names)}"
        )
    if checkpoint.meta.get("data") != str(train_set):
        raise InputError(
            f"{run.last}: was trained on {checkpoint.meta.get('data')}, which is now {train_set}; "
            f"train.init={run.best} starts a new training from its weights"
        )
