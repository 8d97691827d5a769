"""The training: epochs over the data, a grade after each, a checkpoint that a resume goes on from."""

import logging
import math
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning_fabric import Fabric
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from fusedet.configs.errors import InputError
from fusedet.configs.validate import dump_config
from fusedet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fusedet.model.decode import anchor_points
from fusedet.model.detector import STRIDES, DetectorNet, build_detector
from fusedet.train.coco import CocoDataset
from fusedet.train.config import TrainConfig
from fusedet.train.dataset import Batch, TrainLoader, ValidationImages, build_train_loader
from fusedet.train.diagnostics import Diagnostics
from fusedet.train.ema import ModelEma
from fusedet.train.evaluate import TorchDetector, find_objects
from fusedet.train.finetune import Transfer, freeze, hold_frozen, plan_transfer
from fusedet.train.guide import Guidance, Guide, open_guide
from fusedet.train.logbook import Logbook
from fusedet.train.losses import detection_loss
from fusedet.train.metrics import SUMMARY_NAMES, Metrics, grade
from fusedet.train.optim import build_optimizer, learning_rate_factor, set_learning_rate, settled_optim
from fusedet.train.progress import TrainingProgress
from fusedet.train.report.analysis import Evaluation
from fusedet.train.report.provenance import this_computer
from fusedet.train.report.write import report_after_training
from fusedet.train.run_folder import RunFolder
from fusedet.train.sets import count_objects, load_sets

__all__ = ["TrainResult", "resume", "train"]

_log = logging.getLogger(__name__)

#: Part of the training after which pictures that grow (``augment.grow_from``) have their full size.
GROWN_AT = 0.75
#: Fewer training images than this take small batches: an epoch has too few steps otherwise.
SMALL_SET = 1000
SMALL_SET_BATCH, BATCH = 8, 16


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        run_dir: folder with ``best.pt``, ``last.pt``, ``metrics.csv``, ``curves.png``, ``config.yaml`` and,
            where it is finished, ``report.html``.
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
    sets = load_sets(config.data)
    config = _settled(config, sets[0])
    transfer = plan_transfer(config, sets[0].names)
    guide = _open_guide(config, sets[0])
    RunFolder.check_free(config.train.out)
    fabric = _build_fabric(config)
    with TrainingProgress(config.train.epochs, fabric.is_global_zero) as progress:
        data = _read_images(config, *sets, fabric, progress)
        run = _new_run(config, name, fabric)  # what the user gave has passed: not before now is anything written
        trainer = Trainer(config, fabric, run, data, guide)
        if transfer is not None:
            trainer.take_over(transfer)
            for line in transfer.report:
                progress.say(line)
        return trainer.fit(progress)


def resume(path: Path) -> TrainResult:
    """Goes on with an interrupted training, exactly where its last checkpoint was written.

    Args:
        path: the run folder, or its ``last.pt``. The run's own config is used.

    Raises:
        InputError: there is no such run, or its data have changed.
    """
    run = RunFolder.find(path)
    checkpoint = load_checkpoint(run.last)
    try:
        config = TrainConfig.model_validate(checkpoint.meta.get("config"))
    except ValidationError as error:
        raise InputError(f"{run.last}: cannot be resumed: it holds no config that this fusedet can use") from error
    sets = load_sets(config.data)
    _check_same_data(checkpoint, run, sets[0])
    guide = _open_guide(config, sets[0])
    fabric = _build_fabric(config)
    with TrainingProgress(config.train.epochs, fabric.is_global_zero) as progress:
        trainer = Trainer(config, fabric, run, _read_images(config, *sets, fabric, progress), guide)
        try:
            trainer.load(checkpoint)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{run.last}: cannot be resumed: its state is not that of such a training") from error
        return trainer.fit(progress)


@dataclass(frozen=True)
class TrainingData:
    """What a training learns from and what it is graded on; both sets have the same classes."""

    train_set: CocoDataset
    val_set: CocoDataset
    loader: TrainLoader
    val_images: ValidationImages


class Trainer:
    """One training. Build it, perhaps :meth:`load` a checkpoint, then :meth:`fit`.

    Args:
        config: with ``config.model.classes`` set.
        fabric: the devices to train on.
        run: where results go.
        data: to learn from and to grade on.
        guide: what shows more than the labels do.
    """

    def __init__(
        self, config: TrainConfig, fabric: Fabric, run: RunFolder, data: TrainingData, guide: Guide | None = None
    ) -> None:
        self.config, self.fabric, self.run, self.guide = config, fabric, run, guide
        self.train_set, self.val_set = data.train_set, data.val_set
        self.loader, self.val_images = data.loader, data.val_images
        torch.manual_seed(config.train.seed)
        net = build_detector(config.model)
        net.head.detach_one_to_one = config.loss.detach_one_to_one
        freeze(net, config.train.freeze)
        if config.train.channels_last:
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = ModelEma(net.to(self.fabric.device), self._ema_decay())
        self.net, self.optimizer = self.fabric.setup(net, build_optimizer(net, config.optim))
        self.epoch, self.batches_done = 0, 0
        self.best_ap, self.best_epoch, self.best_metrics = -1.0, 0, dict[str, float]()
        self.best_per_class: dict[str, list[float]] = {}
        self.best_evaluation: Evaluation | None = None  # of the first process, since it was started
        self.seconds = 0.0
        watched = config.train.diagnostics and fabric.is_global_zero
        self.diagnostics = Diagnostics(self._raw_net(), run.diagnostics) if watched else None

    @property
    def epochs(self) -> int:
        """Of the whole training."""
        return self.config.train.epochs

    def take_over(self, transfer: Transfer) -> None:
        """Starts from what another training learned."""
        transfer.apply(self._raw_net())
        self.ema.net.load_state_dict(self._raw_net().state_dict())

    def load(self, checkpoint: Checkpoint) -> None:
        """Takes up the state of :meth:`save`."""
        meta, state = checkpoint.meta, checkpoint.state
        self._raw_net().load_state_dict(state["model"])
        self.ema.net.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.steps, self.epoch, self.batches_done = meta["ema_steps"], meta["epoch"], meta["batches_done"]
        self.best_ap, self.best_epoch = meta["best_ap"], meta["best_epoch"]
        self.best_metrics, self.seconds = meta["metrics"], meta["seconds"]
        self.best_per_class = meta.get("per_class", {})

    def save(self) -> None:
        """Writes ``last.pt``: everything that a resume needs."""
        state = {
            "ema": self.ema.net.state_dict(),
            "model": self._raw_net().state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        if self.fabric.is_global_zero:
            save_checkpoint(self.run.last, state, self._meta())

    def fit(self, progress: TrainingProgress) -> TrainResult:
        """Trains to the last epoch, until it is interrupted, or until patience ends."""
        first_epoch = self.epoch
        if self.fabric.is_global_zero:
            self.run.forget_metrics_from(self.epoch + 1)
        if self.diagnostics is not None:
            self.diagnostics.forget_from(self.epoch + 1)
        progress.say(f"results in {self.run.path}")
        if not self.run.last.exists():
            self.save()  # from now on the run can be resumed, however it ends
        with _stop_flag() as stop, Logbook(self.run, self.fabric.is_global_zero) as logbook:
            while self.epoch < self.epochs and not stop and not self._out_of_patience():
                row = self._train_epoch(progress, stop)
                if self.batches_done < len(self.loader):
                    break
                self.epoch, self.batches_done = self.epoch + 1, 0
                row |= self._grade(progress)
                if self.diagnostics is not None:
                    row |= self.diagnostics.finish_epoch(self.epoch)
                logbook.write(row, self.epoch)
                self.save()
                left = self._seconds_left(self.seconds)
                progress.finish_epoch(self.epoch, row["loss"], row["ap"], row["ap50"], row["images_per_second"], left)
            if stop:
                self.save()
                progress.say(f"interrupted; go on with: fusedet train --resume {self.run.path}")
            logbook.draw()
        finished = not stop
        if finished and self.epoch > first_epoch:
            self._report(progress)
        if finished and self.best_epoch:
            progress.say(
                f"best epoch {self.best_epoch}: AP {self.best_metrics['ap']:.3f}, "
                f"AP50 {self.best_metrics['ap50']:.3f}; {self.run.best}"
            )
        return TrainResult(self.run.path, self.best_epoch, self.best_metrics, finished)

    def _report(self, progress: TrainingProgress) -> None:
        """Writes ``report.html``. The training is done: nothing that goes wrong here may take that away."""
        if not (self.config.train.report and self.fabric.is_global_zero):
            return
        progress.say("making the report")
        try:
            sets = self.train_set, self.val_set
            progress.say(f"report in {report_after_training(self.run, sets, self.best_evaluation)}")
        except Exception as error:
            _log.debug("the report failed", exc_info=True)
            reason = " ".join(str(error).splitlines()) or type(error).__name__
            progress.say(f"no report: {reason}; fusedet report {self.run.path} tries again")

    def _train_epoch(self, progress: TrainingProgress, stop: "_Stop") -> dict[str, float]:
        """One pass over the images; ends early when a stop is asked for."""
        config, start, skipped = self.config, time.perf_counter(), self.batches_done
        mosaic = self.epoch < self.epochs - config.augment.close_epochs
        batches = self.loader.epoch(self.epoch, mosaic, skipped)
        progress.begin("epoch", self.epoch + 1, len(self.loader), skipped)
        self.net.train()
        hold_frozen(self._raw_net(), config.train.freeze)
        sums: dict[str, Tensor] = {}
        images, rate = 0, 0.0
        for batch in batches:
            parts = self._step(batch)
            self.batches_done += 1
            images += len(batch.images) * self.fabric.world_size
            sums = {name: sums.get(name, 0) + value for name, value in parts.items()}
            seconds = time.perf_counter() - start
            rate = images / seconds
            loss = float(parts["loss"])
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {loss} in epoch {self.epoch + 1}; a lower optim.lr or a smaller optim.clip_norm "
                    f"helps; {self.run.last} holds the epoch before"
                )
            progress.finish_step(loss, self.best_ap, rate, self._seconds_left(self.seconds + seconds))
            # Gradients that wait for the rest of their step are not in a checkpoint: the step is finished first.
            if stop and self.batches_done % config.train.accumulate == 0:
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
            weights = batch.weights.to(self.fabric.device) if config.loss.soft_labels else None
            targets = boxes, labels, config.loss, weights, self._guidance(batch, (images.shape[2], images.shape[3]))
            total, parts = detection_loss(self.net(images), points, strides, *targets)
            self.fabric.backward(total / config.train.accumulate)
        if due:
            progress = self.epoch + self.batches_done / len(self.loader)
            assert config.optim.lr is not None  # it is settled
            factor = learning_rate_factor(progress, self.epochs, config.optim)
            set_learning_rate(self.optimizer, config.optim.lr * factor)
            self._clip_gradients()
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.ema.update(self._raw_net())
        return parts

    def _guidance(self, batch: Batch, size_hw: tuple[int, int]) -> Guidance | None:
        """What the guide sees in the pictures, for an input of ``size_hw``."""
        if self.guide is None:
            return None
        return Guidance(*(x.to(self.fabric.device) for x in self.guide.look(batch.images, size_hw)))

    def _clip_gradients(self) -> None:
        """Where the config wants it; diagnostics take the norm down, without a limit if need be."""
        limit = self.config.optim.clip_norm or math.inf
        if limit < math.inf or self.diagnostics is not None:
            norm = self.fabric.clip_gradients(self.net, self.optimizer, max_norm=limit, error_if_nonfinite=False)
            if self.diagnostics is not None and norm is not None:
                self.diagnostics.add_step(float(norm), limit)

    def _rescale(self, images: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """The batch at the size that this step trains at."""
        factor = self._side_factor()
        height, width = images.shape[2:]
        deepest = max(STRIDES)
        size = [max(deepest, round(side * factor / deepest) * deepest) for side in (height, width)]
        if size == [height, width]:
            return images, boxes
        resized = functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
        scale = boxes.new_tensor([size[1] / width, size[0] / height]).repeat(2)
        return resized, boxes * scale

    def _side_factor(self) -> float:
        """Input side over the config's: grows with the training, and multi-scale varies it, alike in a repeated run."""
        config = self.config.augment
        done = (self.epoch + self.batches_done / len(self.loader)) / self.epochs
        grown = config.grow_from + (1 - config.grow_from) * min(done / GROWN_AT, 1.0)
        draw = random.Random(f"{self.config.train.seed} {self.epoch} {self.batches_done}")
        return grown * draw.uniform(1 - config.multi_scale, 1 + config.multi_scale)

    def _grade(self, progress: TrainingProgress) -> dict[str, float]:
        """Accuracy of the averaged weights, where this epoch is graded; keeps the best."""
        config = self.config.eval
        if self.epoch % config.every and self.epoch != self.epochs:
            return dict.fromkeys(SUMMARY_NAMES, math.nan)
        metrics: Metrics | None = None
        evaluation: Evaluation | None = None
        if self.fabric.is_global_zero:
            progress.begin("grading", self.epoch, len(self.val_set.samples))
            start = time.perf_counter()
            predictor = TorchDetector(self.ema.net, self.train_set.names, config)
            with self.diagnostics.watch(predictor.graph) if self.diagnostics is not None else nullcontext():
                found = find_objects(predictor, self.val_set, self.val_images, config.batch, progress.advance)
            metrics = grade(self.val_set, found)
            evaluation = Evaluation(self.val_set, found, metrics)
            self.seconds += time.perf_counter() - start
        metrics = self.fabric.broadcast(metrics)
        assert metrics is not None
        if metrics.ap > self.best_ap:
            self.best_ap, self.best_epoch, self.best_metrics = metrics.ap, self.epoch, metrics.summary()
            self.best_per_class = {name: list(figures) for name, figures in metrics.per_class.items()}
            self.best_evaluation = evaluation
            if self.fabric.is_global_zero:
                save_checkpoint(self.run.best, {"ema": self.ema.net.state_dict()}, self._meta())
        return metrics.summary()

    def _seconds_left(self, seconds: float) -> float:
        """To the end of the last epoch, when it took ``seconds`` to come here."""
        done = self.epoch + self.batches_done / len(self.loader)
        return seconds / done * (self.epochs - done)

    def _out_of_patience(self) -> bool:
        patience = self.config.train.patience
        return bool(patience and self.best_epoch and self.epoch - self.best_epoch >= patience)

    def _ema_decay(self) -> float:
        """The wanted decay, or less where its memory would reach far back into a short training."""
        steps = self.epochs * len(self.loader) / self.config.train.accumulate
        memory = max(1.0, steps * self.config.train.ema_memory)
        return min(self.config.train.ema_decay, 1 - 1 / memory)

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
            "per_class": self.best_per_class,
            "best_ap": self.best_ap,
            "best_epoch": self.best_epoch,
            "ema_steps": self.ema.steps,
            "seconds": self.seconds,
            "data": _describe(self.train_set),
            "config": self.config.model_dump(mode="json"),
            "fusedet_version": version("fusedet"),
            "torch_version": str(torch.__version__),
            "machine": this_computer(),
        }


def _new_run(config: TrainConfig, name: str, fabric: Fabric) -> RunFolder:
    """Made by the first process, known to all."""
    run: RunFolder | None = None
    if fabric.is_global_zero:
        run = RunFolder.create(name, config.train.out)
        run.config.write_text(dump_config(config))
    run = fabric.broadcast(run)
    assert run is not None
    return run


def _read_images(
    config: TrainConfig, train_set: CocoDataset, val_set: CocoDataset, fabric: Fabric, progress: TrainingProgress
) -> TrainingData:
    objects, regions = count_objects(train_set)
    progress.say(
        f"{len(train_set.samples)} images with {objects} objects to learn from, {len(val_set.samples)} to grade on, "
        f"{len(train_set.names)} classes" + (f"; {regions} regions to ignore" if regions else "")
    )
    assert config.train.batch is not None
    loader = build_train_loader(
        train_set,
        config.model.input_size,
        config.augment,
        config.data,
        config.train.batch,
        config.train.seed,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
        progress=progress.counter("reading images"),
    )
    val_images = ValidationImages(val_set, config.data, progress.counter("reading images to grade on"))
    return TrainingData(train_set, val_set, loader, val_images)


def _open_guide(config: TrainConfig, train_set: CocoDataset) -> Guide | None:
    return None if config.train.guide is None else open_guide(config.train.guide, train_set.names)


def _check_same_data(checkpoint: Checkpoint, run: RunFolder, train_set: CocoDataset) -> None:
    """A training that went on with other images would not be the one that was interrupted."""
    before = checkpoint.meta.get("names")
    if list(train_set.names) != before:
        raise InputError(
            f"{run.last}: was trained on the classes {before}, but {train_set.source} has {list(train_set.names)}"
        )
    if checkpoint.meta.get("data") != _describe(train_set):
        raise InputError(
            f"{run.last}: was trained on {checkpoint.meta.get('data')}, which is now {_describe(train_set)}; "
            f"train.init={run.best} starts a new training from its weights"
        )


def _describe(dataset: CocoDataset) -> str:
    return f"{dataset.source} ({len(dataset.samples)} images)"


def _settled(config: TrainConfig, dataset: CocoDataset) -> TrainConfig:
    """With what the data and ``train.init`` decide where the config leaves it out: classes, batch, learning rate."""
    wanted, there = config.model.classes, len(dataset.names)
    if wanted is not None and wanted != there:
        raise InputError(f"model.classes is {wanted}, but {dataset.source} has {there}: {', '.join(dataset.names)}")
    batch = config.train.batch or (SMALL_SET_BATCH if len(dataset.samples) < SMALL_SET else BATCH)
    model = config.model.model_copy(update={"classes": there})
    train = config.train.model_copy(update={"batch": batch})
    optim = settled_optim(config.optim, fine_tuning=config.train.init is not None)
    return config.model_copy(update={"model": model, "train": train, "optim": optim})


def _build_fabric(config: TrainConfig) -> Fabric:
    accelerator, devices = config.train.device, config.train.devices
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if devices > there.get(accelerator, devices):
        raise InputError(
            f"train.device is {accelerator}, but torch finds {there[accelerator]} such devices here where "
            f"{devices} should be (train.devices); train.device=cpu trains on the CPU"
        )
    precision: Any = config.train.precision
    if precision == "16-mixed" and accelerator == "cpu":
        raise InputError("train.precision is 16-mixed, which a CPU cannot do; bf16-mixed or 32-true can be used there")
    if precision == "auto":
        precision = "32-true"
        if accelerator == "cuda":
            precision = "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it repeats what the config says
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=precision)
    fabric.launch()
    return fabric


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
