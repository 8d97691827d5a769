"""The training: epochs over the data, a grade after each, a checkpoint that a resume goes on from."""

import logging
import math
import random
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
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
from fusedet.train.coco import CocoDataset
from fusedet.train.config import TrainConfig
from fusedet.train.dataset import Batch
from fusedet.train.devices import build_fabric, count_processes
from fusedet.train.diagnostics import Diagnostics
from fusedet.train.ema import ModelEma
from fusedet.train.evaluate import TorchDetector, find_objects
from fusedet.train.finetune import Transfer, freeze, hold_frozen, plan_transfer
from fusedet.train.guard import MOST_STRIKES, Guard, Step
from fusedet.train.guide import Guidance, Guide, open_guide
from fusedet.train.logbook import Logbook
from fusedet.train.losses import LOSS_NAMES, detection_loss
from fusedet.train.metrics import SUMMARY_NAMES, Metrics, grade
from fusedet.train.optim import build_optimizer, learning_rate_factor, set_learning_rate
from fusedet.train.parallel import any_rank, gather, part, rank_mean, together
from fusedet.train.prepare import TrainingData, read_images, settled, with_batch
from fusedet.train.progress import TrainingProgress
from fusedet.train.report.analysis import Evaluation
from fusedet.train.report.provenance import this_computer
from fusedet.train.report.write import report_after_training
from fusedet.train.resuming import check_changes, config_to_resume
from fusedet.train.run_folder import RunFolder
from fusedet.train.sets import load_sets
from fusedet.train.stop import Stop, stop_flag
from fusedet.train.syncnorm import synchronise_norms

__all__ = ["TrainResult", "resume", "train"]

_log = logging.getLogger(__name__)

#: Part of the training after which pictures that grow (``augment.grow_from``) have their full size.
GROWN_AT = 0.75


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
    config = settled(config, sets[0])
    transfer = plan_transfer(config, sets[0].names)
    guide = _open_guide(config, sets[0])
    RunFolder.check_free(config.train.out)
    fabric = build_fabric(config.train)
    with (
        together("start it again"),
        TrainingProgress(config.train.epochs, fabric.is_global_zero) as progress,
    ):
        config = with_batch(config, fabric, sets[0], progress)
        data = read_images(config, *sets, fabric, progress)
        run = _new_run(config, name, fabric)  # what the user gave has passed: not before now is anything written
        trainer = Trainer(config, fabric, run, data, guide)
        if transfer is not None:
            trainer.take_over(transfer)
            for line in transfer.report:
                progress.say(line)
        return trainer.fit(progress)


def resume(path: Path, overrides: Sequence[str] = ()) -> TrainResult:
    """Goes on with an interrupted training, exactly where its last checkpoint was written.

    Args:
        path: the run folder, or its ``last.pt``. The run's own config is used.
        overrides: ``key=value`` for settings that may change on the way: :data:`fusedet.train.resuming.CHANGEABLE`.

    Raises:
        InputError: there is no such run, its data have changed, or another setting was to change.
    """
    check_changes(overrides)
    run = RunFolder.find(path)
    checkpoint = load_checkpoint(run.last)
    config = config_to_resume(run, checkpoint, overrides)
    count_processes(config.train)
    sets = load_sets(config.data)
    _check_same_data(checkpoint, run, sets[0])
    guide = _open_guide(config, sets[0])
    fabric = build_fabric(config.train)
    with together("start it again"), TrainingProgress(config.train.epochs, fabric.is_global_zero) as progress:
        trainer = Trainer(config, fabric, run, read_images(config, *sets, fabric, progress), guide)
        try:
            trainer.load(checkpoint)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{run.last}: cannot be resumed: its state is not that of such a training") from error
        return trainer.fit(progress)


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
        if fabric.world_size > 1:
            synchronise_norms(net, self.fabric.device)
        self.net, self.optimizer = self.fabric.setup(net, build_optimizer(net, config.optim))
        self.epoch, self.batches_done = 0, 0
        self.best_ap, self.best_epoch, self.best_metrics = -1.0, 0, dict[str, float]()
        self.best_per_class: dict[str, list[float]] = {}
        self.best_evaluation: Evaluation | None = None  # of the first process, since it was started
        self.seconds = 0.0
        self.sums, self.steps_counted = dict[str, float](), 0  # losses of this epoch so far
        self.guard, self.stop = Guard(), Stop()
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
        meta = checkpoint.meta
        self._load_learned(checkpoint.state, meta["ema_steps"])
        self.epoch, self.batches_done = meta["epoch"], meta["batches_done"]
        self.best_ap, self.best_epoch = meta["best_ap"], meta["best_epoch"]
        self.best_metrics, self.seconds = meta["metrics"], meta["seconds"]
        self.sums, self.steps_counted = meta.get("sums", {}), meta.get("steps_counted", 0)
        if "guard" in meta:
            self.guard.load_meta(meta["guard"])
        self.best_per_class = meta.get("per_class", {})

    def save(self) -> None:
        """Writes ``last.pt``: everything that a resume needs."""
        if self.fabric.is_global_zero:
            save_checkpoint(self.run.last, self._learned(), self._meta())
        self._saved_at = time.monotonic()

    def _learned(self) -> dict[str, Any]:
        return {
            "ema": self.ema.net.state_dict(),
            "model": self._raw_net().state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def _load_learned(self, state: dict[str, Any], ema_steps: int) -> None:
        self._raw_net().load_state_dict(state["model"])
        self.ema.net.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.steps = ema_steps

    def fit(self, progress: TrainingProgress) -> TrainResult:
        """Trains to the last epoch, until it is interrupted, or until patience ends.

        Raises:
            FloatingPointError: losses or gradients became infinite again and again.
            GaveUpError: another process of this training is lost.
        """
        with together(f"go on with: {_resume_command(self.run)}"):
            result = self._fit(progress)
            part()
        return result

    def _fit(self, progress: TrainingProgress) -> TrainResult:
        first_epoch = self.epoch
        if self.fabric.is_global_zero:
            self.run.forget_metrics_from(self.epoch + 1)
        if self.diagnostics is not None:
            self.diagnostics.forget_from(self.epoch + 1)
        progress.say(f"results in {self.run.path}")
        if not self.run.last.exists():
            self.save()  # from now on the run can be resumed, however it ends
        self._saved_at = time.monotonic()
        self.guard.keep_first(self._snapshot)
        stopped = False
        with stop_flag() as self.stop, Logbook(self.run, self.fabric.is_global_zero) as logbook:
            while self.epoch < self.epochs and not self._out_of_patience():
                stopped = any_rank(bool(self.stop), self.fabric.device)
                if stopped:
                    break
                row, stopped = self._train_epoch(progress)
                if self.batches_done < len(self.loader):
                    break
                self.epoch, self.batches_done = self.epoch + 1, 0
                self.sums, self.steps_counted = {}, 0
                row |= self._grade(progress)
                if self.diagnostics is not None:
                    row |= self.diagnostics.finish_epoch(self.epoch)
                logbook.write(row, self.epoch)
                self.save()
                left = self._seconds_left(self.seconds)
                progress.finish_epoch(self.epoch, row["loss"], row["ap"], row["ap50"], row["images_per_second"], left)
            stopped = stopped and self.epoch < self.epochs  # asked for in the very last step, it comes too late
            if stopped:
                self.save()
                progress.say(f"interrupted; go on with: {_resume_command(self.run)}")
            logbook.draw()
        finished = not stopped
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

    def _train_epoch(self, progress: TrainingProgress) -> tuple[dict[str, float], bool]:
        """One pass over the images, or its rest. Ends early when a stop was asked for: the second value says so."""
        config, start, skipped, before = self.config, time.perf_counter(), self.batches_done, self.seconds
        mosaic = self.epoch < self.epochs - config.augment.close_epochs
        batches = self.loader.epoch(self.epoch, mosaic, skipped)
        progress.begin("epoch", self.epoch + 1, len(self.loader), skipped)
        self.net.train()
        hold_frozen(self._raw_net(), config.train.freeze)
        images, rate, stopped = 0, 0.0, False
        for batch in batches:
            step = self._step(batch)
            self.batches_done += 1
            if step.trouble:
                self._step_back(step.trouble, batch, progress)
            else:
                self.guard.note_good_step(self._snapshot)
                self.steps_counted += 1
                self.sums = {name: self.sums.get(name, 0.0) + value for name, value in step.losses.items()}
            images += len(batch.images) * self.fabric.world_size
            seconds = time.perf_counter() - start
            self.seconds, rate = before + seconds, images / seconds
            progress.finish_step(step.losses["loss"], self.best_ap, rate, self._seconds_left(self.seconds))
            # Gradients that wait for the rest of their step are not in a checkpoint: the step is finished first.
            if self.batches_done % config.train.accumulate == 0:
                if step.stop:
                    stopped = True
                    break
                self._save_now_and_then()
        return {
            "epoch": self.epoch + 1,
            **{name: self.sums.get(name, math.nan) / max(self.steps_counted, 1) for name in LOSS_NAMES},
            "lr": self.optimizer.param_groups[0]["lr"],
            "images_per_second": rate,
            "seconds": self.seconds,
        }, stopped

    def _step(self, batch: Batch) -> Step:
        """Forward and backward pass of one batch, and the optimiser's step where one is due and all is finite."""
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
        # One exchange for all that the processes have to agree on.
        told = torch.stack([*(parts[name] for name in LOSS_NAMES), total.new_tensor(float(bool(self.stop)))])
        *values, asked = rank_mean(told).tolist()
        losses = dict(zip(LOSS_NAMES, values, strict=True))
        step = Step(losses, None, asked > 0)
        if due and not step.trouble:
            step = Step(losses, self._clip_gradients(), step.stop)
        if step.trouble:
            self.optimizer.zero_grad(set_to_none=True)
        elif due:
            progress = self.epoch + self.batches_done / len(self.loader)
            assert config.optim.lr is not None  # it is settled
            factor = learning_rate_factor(progress, self.epochs, config.optim)
            set_learning_rate(self.optimizer, config.optim.lr * factor * self.guard.lr_factor)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.ema.update(self._raw_net())
        return step

    def _step_back(self, trouble: str, batch: Batch, progress: TrainingProgress) -> None:
        """Answers a batch whose loss or gradients are not finite: see :mod:`fusedet.train.guard`.

        Raises:
            FloatingPointError: it was the last of several in a row.
        """
        names = {sample.image_id: sample.path.name for sample in self.train_set.samples}
        mine = [names[int(image)] for image in batch.image_ids]
        state = self.guard.strike(name for part in gather(mine) for name in part)
        what = f"{trouble} in epoch {self.epoch + 1}, step {self.batches_done}, with {self.guard.pictures}"
        if self.guard.gives_up and not self.fabric.is_global_zero:
            raise SystemExit(1)  # the first process says it
        if self.guard.gives_up:
            raise FloatingPointError(
                f"{what}; that was number {MOST_STRIKES} in a short time; a lower optim.lr or a smaller "
                f"optim.clip_norm helps, and the pictures may be worth a look; {self.run.last} holds a good state: "
                f"{_resume_command(self.run)} optim.lr=..."
            )
        self._load_learned(state["learned"], state["ema_steps"])
        slower = f" with {self.guard.lr_factor:g} of the learning rate" if self.guard.lr_factor < 1 else ""
        progress.say(f"{what}; the batch is left out, the training steps back and goes on{slower}")

    def _snapshot(self) -> dict[str, Any]:
        return {"learned": self._learned(), "ema_steps": self.ema.steps}

    def _save_now_and_then(self) -> None:
        """Within an epoch; what is saved at its end is not saved twice."""
        minutes = self.config.train.save_minutes
        if minutes and self.batches_done < len(self.loader) and time.monotonic() - self._saved_at >= 60 * minutes:
            self.save()

    def _guidance(self, batch: Batch, size_hw: tuple[int, int]) -> Guidance | None:
        """What the guide sees in the pictures, for an input of ``size_hw``."""
        if self.guide is None:
            return None
        return Guidance(*(x.to(self.fabric.device) for x in self.guide.look(batch.images, size_hw)))

    def _clip_gradients(self) -> float | None:
        """Where the config wants it; returns the norm before that, where it can tell a trouble."""
        limit = self.config.optim.clip_norm or math.inf
        found = self.fabric.clip_gradients(self.net, self.optimizer, max_norm=limit, error_if_nonfinite=False)
        assert found is not None
        norm = float(found)
        if self.diagnostics is not None:
            self.diagnostics.add_step(norm, limit)
        # Half precision finds its scale by trying: gradients that overflow are left out by its scaler.
        return None if self.fabric.strategy.precision.precision == "16-mixed" else norm

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
            "sums": self.sums,
            "steps_counted": self.steps_counted,
            "guard": self.guard.to_meta(),
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


def _resume_command(run: RunFolder) -> str:
    return f"fusedet train --resume {run.path}"


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
