"""The training: epochs over the data, a grade after each, a checkpoint that a resume goes on from."""

import logging
import math
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from fusedet.configs.errors import InputError
from fusedet.configs.validate import dump_config
from fusedet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fusedet.model.decode import anchor_points
from fusedet.model.detector import STRIDES, DetectorNet, build_detector
from fusedet.train.coco import CocoDataset, check_same_categories, load_coco
from fusedet.train.config import TrainConfig
from fusedet.train.dataset import Batch, ValidationImages, build_train_loader
from fusedet.train.ema import ModelEma
from fusedet.train.evaluate import TorchDetector, evaluate
from fusedet.train.logbook import Logbook
from fusedet.train.losses import detection_loss
from fusedet.train.metrics import SUMMARY_NAMES, Metrics
from fusedet.train.optim import build_optimizer, learning_rate_factor, set_learning_rate
from fusedet.train.progress import TrainingProgress
from fusedet.train.run_folder import RunFolder

__all__ = ["TrainResult", "resume", "train"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        run_dir: folder with ``best.pt``, ``last.pt``, ``metrics.csv``, ``curves.png`` and ``config.yaml``.
        best_epoch: number of the best epoch, counted from 1; 0 when none was graded.
        metrics: of the best epoch: see :class:`fusedet.train.metrics.Metrics`.
        finished: False when the training was interrupted; it can be resumed.
    """

    run_dir: Path
    best_epoch: int
    metrics: dict[str, float]
    finished: bool


def train(config: TrainConfig, name: str = "run") -> TrainResult:
    """Trains a network from the beginning.

    Args:
        config: everything there is to say; ``config.data`` must name images and annotations.
        name: of the run folder, where ``config.train.out`` does not say.

    Raises:
        InputError: the data or a setting cannot be used; nothing has been written then.
    """
    data = _load_data(config)
    config = _with_classes(config, data[0])
    weights = _initial_weights(config)
    run = RunFolder.create(name, config.train.out)
    run.config.write_text(dump_config(config))
    trainer = Trainer(config, run, *data)
    if weights is not None:
        trainer.load_weights(weights)
    return trainer.fit()


def resume(path: Path) -> TrainResult:
    """Goes on with an interrupted training, exactly where its last checkpoint was written.

    Args:
        path: the run folder, or its ``last.pt``. The run's own config is used.

    Raises:
        InputError: there is no such run, or its data have changed.
    """
    run = RunFolder.find(path)
    checkpoint = load_checkpoint(run.last)
    config = TrainConfig.model_validate(checkpoint.meta["config"])
    data = _load_data(config)
    if list(data[0].names) != checkpoint.meta["names"]:
        raise InputError(
            f"{run.last}: was trained on the {len(checkpoint.meta['names'])} classes {checkpoint.meta['names']}, "
            f"but {data[0].source} has {len(data[0].names)}: {list(data[0].names)}"
        )
    trainer = Trainer(config, run, *data)
    trainer.load(checkpoint)
    return trainer.fit()


class Trainer:
    """One training. Build it, perhaps :meth:`load` a checkpoint, then :meth:`fit`.

    Args:
        config: with ``config.model.classes`` set.
        run: where results go.
        train_set: annotations to learn from.
        val_set: annotations to grade on, with the same classes.
    """

    def __init__(self, config: TrainConfig, run: RunFolder, train_set: CocoDataset, val_set: CocoDataset) -> None:
        self.config, self.run, self.train_set, self.val_set = config, run, train_set, val_set
        self.fabric = _build_fabric(config)
        self.fabric.launch()
        torch.manual_seed(config.train.seed)
        net = build_detector(config.model)
        net.detach_one_to_one = config.loss.detach_one_to_one
        if config.train.channels_last:
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = ModelEma(net.to(self.fabric.device), config.train.ema_decay, config.train.ema_warmup)
        self.net, self.optimizer = self.fabric.setup(net, build_optimizer(net, config.optim))
        self.loader = build_train_loader(
            train_set,
            config.model.input_size,
            config.augment,
            config.data,
            config.train.batch,
            config.train.seed,
            rank=self.fabric.global_rank,
            world_size=self.fabric.world_size,
        )
        self.val_images = ValidationImages(val_set, config.data)
        self.epoch, self.batches_done = 0, 0
        self.best_ap, self.best_epoch, self.best_metrics = -1.0, 0, dict[str, float]()
        self.seconds = 0.0

    @property
    def epochs(self) -> int:
        """Of the whole training."""
        return self.config.train.epochs

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Starts from other weights: all that have a place here by name and shape."""
        own = self._raw_net().state_dict()
        usable = {key: value for key, value in weights.items() if key in own and value.shape == own[key].shape}
        self._raw_net().load_state_dict(usable, strict=False)
        self.ema.net.load_state_dict(self._raw_net().state_dict())
        _log.info("%d of %d tensors start from %s", len(usable), len(own), self.config.train.init)

    def load(self, checkpoint: Checkpoint) -> None:
        """Takes up the state of :meth:`save`."""
        meta, state = checkpoint.meta, checkpoint.state
        self._raw_net().load_state_dict(state["model"])
        self.ema.net.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.steps, self.epoch, self.batches_done = meta["ema_steps"], meta["epoch"], meta["batches_done"]
        self.best_ap, self.best_epoch = meta["best_ap"], meta["best_epoch"]
        self.best_metrics, self.seconds = meta["metrics"], meta["seconds"]

    def save(self) -> None:
        """Writes ``last.pt``: everything that a resume needs."""
        state = {
            "ema": self.ema.net.state_dict(),
            "model": self._raw_net().state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        if self.fabric.is_global_zero:
            save_checkpoint(self.run.last, state, self._meta())

    def fit(self) -> TrainResult:
        """Trains to the last epoch, until it is interrupted, or until patience ends."""
        self.run.forget_metrics_from(self.epoch + 1)
        with (
            TrainingProgress(self.epochs, self.fabric.is_global_zero) as progress,
            Logbook(self.run, self.fabric.is_global_zero) as logbook,
            _stop_flag() as stop,
        ):
            progress.say(
                f"{len(self.train_set.samples)} images to learn from, {len(self.val_set.samples)} to grade on, "
                f"{len(self.train_set.names)} classes; results in {self.run.path}"
            )
            while self.epoch < self.epochs and not stop and not self._out_of_patience():
                row = self._train_epoch(progress, stop)
                if stop:
                    break
                self.epoch, self.batches_done = self.epoch + 1, 0
                row |= self._grade(progress)
                logbook.write(row, self.epoch)
                self.save()
                eta = self.seconds / self.epoch * (self.epochs - self.epoch)
                progress.finish_epoch(
                    self.epoch - 1, row["loss"], row["ap"], row["ap50"], row["images_per_second"], eta
                )
            if stop:
                self.save()
                progress.say(f"interrupted; go on with: fusedet train --resume {self.run.path}")
            logbook.draw()
        finished = not stop
        if finished and self.best_epoch:
            progress.say(
                f"best epoch {self.best_epoch}: AP {self.best_metrics['ap']:.3f}, "
                f"AP50 {self.best_metrics['ap50']:.3f}; {self.run.best}"
            )
        return TrainResult(self.run.path, self.best_epoch, self.best_metrics, finished)

    def _train_epoch(self, progress: TrainingProgress, stop: "_Stop") -> dict[str, float]:
        """One pass over the images; ends early when a stop is asked for."""
        config, start, skipped = self.config, time.perf_counter(), self.batches_done
        mosaic = self.epoch < self.epochs - config.augment.close_epochs
        batches = self.loader.epoch(self.epoch, mosaic, skipped)
        progress.begin("training", self.epoch, len(self.loader), skipped)
        self.net.train()
        sums: dict[str, Tensor] = {}
        images, rate = 0, 0.0
        for batch in batches:
            parts = self._step(batch)
            self.batches_done += 1
            images += len(batch.images) * self.fabric.world_size
            sums = {name: sums.get(name, 0) + value for name, value in parts.items()}
            rate = images / (time.perf_counter() - start)
            loss = float(parts["loss"])
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {loss} in epoch {self.epoch + 1}; a lower optim.lr or a smaller optim.clip_norm "
                    f"helps; {self.run.last} holds the epoch before"
                )
            progress.advance(1, loss=loss, AP=self.best_ap, **{"images/s": rate})
            if stop:
                break
        self.seconds += time.perf_counter() - start
        done = max(self.batches_done - skipped, 1)
        losses = {name: float(value) / done for name, value in sums.items()}
        return {
            "epoch": self.epoch + 1,
            **losses,
            "lr": self.optimizer.param_groups[0]["lr"],
            "images_per_second": rate,
            "seconds": self.seconds,
        }

    def _step(self, batch: Batch) -> dict[str, Tensor]:
        """Forward and backward pass of one batch, and the optimiser's step where one is due."""
        config = self.config
        images, boxes, labels = (x.to(self.fabric.device) for x in (batch.images, batch.boxes, batch.labels))
        images = images.permute(0, 3, 1, 2).float()  # [B, H, W, 3] -> [B, 3, H, W]
        images, boxes = self._rescale(images, boxes)
        points, strides = (x.to(self.fabric.device) for x in anchor_points((images.shape[2], images.shape[3]), STRIDES))
        due = (self.batches_done + 1) % config.train.accumulate == 0 or self.batches_done + 1 == len(self.loader)
        with self.fabric.no_backward_sync(self.net, enabled=not due):
            total, parts = detection_loss(self.net(images), points, strides, boxes, labels, config.loss)
            self.fabric.backward(total / config.train.accumulate)
        if due:
            progress = self.epoch + self.batches_done / len(self.loader)
            factor = learning_rate_factor(progress, self.epochs, config.optim)
            set_learning_rate(self.optimizer, config.optim.lr * factor)
            if config.optim.clip_norm:
                self.fabric.clip_gradients(
                    self.net, self.optimizer, max_norm=config.optim.clip_norm, error_if_nonfinite=False
                )
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.ema.update(self._raw_net())
        return parts

    def _rescale(self, images: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Multi-scale training: the batch at another size, the same one in a repeated run."""
        spread = self.config.augment.multi_scale
        if not spread:
            return images, boxes
        draw = random.Random(f"{self.config.train.seed} {self.epoch} {self.batches_done}")
        factor = draw.uniform(1 - spread, 1 + spread)
        height, width = images.shape[2:]
        deepest = max(STRIDES)
        size = [max(deepest, round(side * factor / deepest) * deepest) for side in (height, width)]
        resized = functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
        scale = boxes.new_tensor([size[1] / width, size[0] / height]).repeat(2)
        return resized, boxes * scale

    def _grade(self, progress: TrainingProgress) -> dict[str, float]:
        """Accuracy of the averaged weights, where this epoch is graded; keeps the best."""
        config = self.config.eval
        if self.epoch % config.every and self.epoch != self.epochs:
            return dict.fromkeys(SUMMARY_NAMES, math.nan)
        metrics: Metrics | None = None
        if self.fabric.is_global_zero:
            progress.begin("grading", self.epoch - 1, len(self.val_set.samples))
            start = time.perf_counter()
            predictor = TorchDetector(self.ema.net, self.train_set.names, config)
            metrics = evaluate(predictor, self.val_set, self.val_images, config.batch, progress.advance)
            self.seconds += time.perf_counter() - start
        metrics = self.fabric.broadcast(metrics)
        assert metrics is not None
        if metrics.ap > self.best_ap:
            self.best_ap, self.best_epoch, self.best_metrics = metrics.ap, self.epoch, metrics.summary()
            if self.fabric.is_global_zero:
                save_checkpoint(self.run.best, {"ema": self.ema.net.state_dict()}, self._meta())
        return metrics.summary()

    def _out_of_patience(self) -> bool:
        patience = self.config.train.patience
        return bool(patience and self.best_epoch and self.epoch - self.best_epoch >= patience)

    def _raw_net(self) -> DetectorNet:
        """The network without Fabric's wrapper."""
        net: DetectorNet = self.net.module
        return net

    def _meta(self) -> dict[str, Any]:
        return {
            "names": list(self.train_set.names),
            "model": self.config.model.model_dump(mode="json"),
            "epoch": self.epoch,
            "batches_done": self.batches_done,
            "metrics": self.best_metrics,
            "best_ap": self.best_ap,
            "best_epoch": self.best_epoch,
            "ema_steps": self.ema.steps,
            "seconds": self.seconds,
            "data": f"{self.train_set.source} ({len(self.train_set.samples)} images)",
            "config": self.config.model_dump(mode="json"),
            "fusedet_version": version("fusedet"),
            "torch_version": str(torch.__version__),
        }


def _load_data(config: TrainConfig) -> tuple[CocoDataset, CocoDataset]:
    data = config.data
    paths = (data.train_annotations, data.train_images, data.val_annotations, data.val_images)
    if any(path is None for path in paths):
        raise InputError("no data: give data.root=DIR, which holds images/ and annotations/{train,val}.json")
    train_annotations, train_images, val_annotations, val_images = (Path(str(path)) for path in paths)
    train_set = load_coco(train_annotations, train_images, require_boxes=True)
    val_set = load_coco(val_annotations, val_images)
    check_same_categories(train_set, val_set)
    return train_set, val_set


def _with_classes(config: TrainConfig, dataset: CocoDataset) -> TrainConfig:
    wanted, there = config.model.classes, len(dataset.names)
    if wanted is not None and wanted != there:
        raise InputError(f"model.classes is {wanted}, but {dataset.source} has {there}: {', '.join(dataset.names)}")
    return config.model_copy(update={"model": config.model.model_copy(update={"classes": there})})


def _initial_weights(config: TrainConfig) -> dict[str, Tensor] | None:
    return load_checkpoint(config.train.init).state["ema"] if config.train.init else None


def _build_fabric(config: TrainConfig) -> Fabric:
    accelerator = config.train.device
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "train.device is cuda, but torch finds no CUDA device here; train.device=cpu trains on the CPU"
        )
    precision: Any = config.train.precision
    if precision == "auto":
        precision = "32-true"
        if accelerator == "cuda":
            precision = "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return Fabric(accelerator=accelerator, devices=config.train.devices, precision=precision)


class _Stop:
    """True once somebody asked the training to stop."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


@contextmanager
def _stop_flag() -> Iterator[_Stop]:
    """Ctrl-C or SIGTERM lets the present step end and the state be saved; a second one stops at once."""
    stop = _Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever runs this there handles signals themselves
        before = {}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
