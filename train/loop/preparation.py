"""Before the first step: what the config leaves to the data and the devices, and the images."""

import math
from dataclasses import dataclass, replace

from lightning_fabric import Fabric

from fusedet.common.errors import InputError
from fusedet.common.text import counted
from fusedet.model.detector import STRIDES
from fusedet.train.config import TrainConfig
from fusedet.train.data.coco import CocoDataset
from fusedet.train.data.dataset import Share, TrainLoader, ValidationImages, build_train_loader
from fusedet.train.data.training_sets import count_objects
from fusedet.train.devices.autobatch import batch_that_fits
from fusedet.train.devices.collectives import raise_on_all_ranks
from fusedet.train.devices.fabric import count_processes
from fusedet.train.loop.progress import TrainingProgress
from fusedet.train.optim.optimizer import resolve_optim_defaults

#: Fewer training images than this take small batches: an epoch has too few steps otherwise.
SMALL_SET = 1000
SMALL_SET_BATCH, BATCH = 8, 16


@dataclass(frozen=True)
class TrainingData:
    """What a training learns from and what it is evaluated on; both sets have the same classes."""

    train_set: CocoDataset
    val_set: CocoDataset
    loader: TrainLoader
    val_images: ValidationImages


def resolve_defaults(config: TrainConfig, dataset: CocoDataset) -> TrainConfig:
    """With what the data and ``train.init`` decide where the config leaves it out: classes, batch, learning rate."""
    wanted, there = config.model.classes, len(dataset.names)
    if wanted is not None and wanted != there:
        raise InputError(f"model.classes is {wanted}, but {dataset.source} has {there}: {', '.join(dataset.names)}")
    batch = config.train.batch or _usual_batch(dataset)
    model = config.model.model_copy(update={"classes": there})
    train = config.train.model_copy(update={"batch": batch})
    count_processes(train)  # that they can share it
    large = len(dataset.samples) >= SMALL_SET
    optim = resolve_optim_defaults(config.optim, fine_tuning=config.train.init is not None, large_set=large)
    return config.model_copy(update={"model": model, "train": train, "optim": optim})


def with_batch(config: TrainConfig, fabric: Fabric, dataset: CocoDataset, progress: TrainingProgress) -> TrainConfig:
    """With a number instead of ``auto``. Raises InputError if not one image fits, or the batch cannot be shared."""
    if config.train.batch != "auto":
        return config
    with raise_on_all_ranks():
        batch = batch_that_fits(config, fabric, len(dataset.samples), _usual_batch(dataset))
        config = config.model_copy(update={"train": config.train.model_copy(update={"batch": batch})})
        count_processes(config.train)
    progress.say(f"train.batch is {batch}")
    return config


def _usual_batch(dataset: CocoDataset) -> int:
    return SMALL_SET_BATCH if len(dataset.samples) < SMALL_SET else BATCH


def _check_norms(config: TrainConfig) -> None:
    """A norm needs two values of each channel, and the deepest map of one small image has a single point."""
    smallest = config.augment.grow_from * (1 - config.augment.multi_scale)
    points = math.prod(max(1, round(side * smallest / STRIDES[-1])) for side in config.model.input_size)
    if config.train.batch == 1 and points == 1:
        size = "x".join(map(str, config.model.input_size))
        raise InputError(
            f"train.batch is 1, and an image of {size} pixels is a single point to the deepest layers, too little for "
            "their norms; train.batch=2 or a larger model.input_size trains"
        )


def read_images(
    config: TrainConfig, train_set: CocoDataset, val_set: CocoDataset, fabric: Fabric, progress: TrainingProgress
) -> TrainingData:
    """Reads the images, or checks that they can be read.

    Raises InputError if the batch is too small for the norms; or, in the first process for all, an image cannot be read
    or does not agree with its annotations.
    """
    _check_norms(config)
    objects, regions = count_objects(train_set)
    progress.say(
        f"{len(train_set.samples)} images with {objects} objects to learn from, {len(val_set.samples)} to evaluate on, "
        f"{counted(len(train_set.names), 'class', 'classes')}" + (f"; {regions} regions to ignore" if regions else "")
    )
    assert isinstance(config.train.batch, int)
    with raise_on_all_ranks():
        loader = build_train_loader(
            train_set,
            config.model.input_size,
            config.augment,
            config.data,
            config.train.batch // fabric.world_size,
            config.train.seed,
            share=Share(fabric.global_rank, fabric.world_size, count_processes(config.train).devices),
            progress=progress.counter("reading images"),
        )
        # Only the first process evaluates.
        evaluated = val_set if fabric.is_global_zero else replace(val_set, samples=val_set.samples[:0])
        val_images = ValidationImages(evaluated, config.data, progress.counter("reading validation images"))
    return TrainingData(train_set, val_set, loader, val_images)
