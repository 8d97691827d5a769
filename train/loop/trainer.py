"""The training loop: epochs over the data, an evaluation after each, a checkpoint that a resume goes on from."""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from fusedet.common.text import in_one_line
from fusedet.model.checkpoint import Checkpoint, save_checkpoint
from fusedet.model.decode import anchor_points
from fusedet.model.detector import STRIDES, DetectorNet, build_detector
from fusedet.train.config import TrainConfig
from fusedet.train.data.dataset import Batch
from fusedet.train.data.training_sets import annotation_digest
from fusedet.train.devices.batchnorm import synchronise_norms
from fusedet.train.devices.collectives import any_rank, explain_lost_rank, final_barrier, gather, rank_mean
from fusedet.train.evaluation.evaluate import TorchDetector, find_objects
from fusedet.train.evaluation.metrics import SUMMARY_NAMES, Metrics, evaluate_detections
from fusedet.train.evaluation.outputs import measure_outputs, output_table, recommend, write_outputs
from fusedet.train.evaluation.report.analysis import Evaluation
from fusedet.train.evaluation.report.provenance import this_computer
from fusedet.train.evaluation.report.write import report_after_training
from fusedet.train.loop.best_epoch import Best
from fusedet.train.loop.data_time import TimedLoading
from fusedet.train.loop.diagnostics import Diagnostics
from fusedet.train.loop.input_sizes import rescale, side_factor
from fusedet.train.loop.interrupt import Stop, stop_flag
from fusedet.train.loop.metric_log import MetricLog
from fusedet.train.loop.preparation import TrainingData
from fusedet.train.loop.progress import TrainingProgress
from fusedet.train.loop.rollback import MAX_FAILURES, Rollback, Step
from fusedet.train.optim.ema import ModelEma
from fusedet.train.optim.optimizer import build_optimizer, learning_rate_factor, set_learning_rate
from fusedet.train.run_folder import RunFolder
from fusedet.train.targets.assign import GroundTruth
from fusedet.train.targets.losses import LOSS_NAMES, detection_loss
from fusedet.train.transfer.finetune import Transfer, freeze, keep_frozen_norms

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        run_dir: folder with ``best.pt``, ``last.pt``, ``metrics.csv``, ``curves.png``, ``config.yaml`` and,
            where it is finished, ``report.html``.
        best_epoch: number of the best epoch, counted from 1; 0 when none was evaluated.
        metrics: of the best epoch: see :class:`fusedet.train.evaluation.metrics.Metrics`.
        finished: False when the training was interrupted; it can be resumed.
    """

    run_dir: Path
    best_epoch: int
    metrics: dict[str, float]
    finished: bool


class Trainer:
    """One training. Build it, perhaps :meth:`load` a checkpoint, then :meth:`fit`; ``model.classes`` must be set."""

    def __init__(self, config: TrainConfig, fabric: Fabric, run: RunFolder, data: TrainingData) -> None:
        self.config, self.fabric, self.run, self.epochs = config, fabric, run, config.train.epochs
        self.train_set, self.val_set = data.train_set, data.val_set
        self.loader, self.val_images = data.loader, data.val_images
        torch.manual_seed(config.train.seed)
        net = build_detector(config.model, detach_one_to_one=config.loss.detach_one_to_one)
        freeze(net, config.train.freeze)
        if config.train.channels_last:
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = ModelEma(net.to(self.fabric.device), self._ema_decay())
        if fabric.world_size > 1:
            synchronise_norms(net, self.fabric.device)
        self.net, self.optimizer = self.fabric.setup(net, build_optimizer(net, config.optim))
        self.epoch, self.batches_done = 0, 0
        self.best = Best()
        self.seconds = 0.0
        self.sums, self.steps_counted = dict[str, float](), 0  # losses of this epoch so far
        self.rollback, self.stop = Rollback(), Stop()
        self._saved_at = time.monotonic()  # of the latest ``last.pt``, or the start
        watched = config.train.diagnostics and fabric.is_global_zero
        self.diagnostics = Diagnostics(self._raw_net(), run.diagnostics) if watched else None

    def take_over(self, transfer: Transfer) -> None:
        """Starts from what another training learned."""
        transfer.apply(self._raw_net())
        self.ema.net.load_state_dict(self._raw_net().state_dict())

    def load(self, checkpoint: Checkpoint) -> None:
        """Takes up the state of :meth:`save`."""
        meta = checkpoint.meta
        self._load_learned(checkpoint.state, meta["ema_steps"])
        self.epoch, self.batches_done = meta["epoch"], meta["batches_done"]
        self.best, self.seconds = Best.from_meta(meta), meta["seconds"]
        self.sums, self.steps_counted = meta.get("sums", {}), meta.get("steps_counted", 0)
        if "guard" in meta:
            self.rollback.load_meta(meta["guard"])

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

        Raises FloatingPointError if losses or gradients became infinite again and again, and GaveUpError if another
        process of this training is lost, or the disk is full.
        """
        with self.run.explained_full_disk(), explain_lost_rank(f"go on with: {self.run.resume_command}"):
            result = self._fit(progress)
            final_barrier()
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
        self.rollback.keep_first(self._snapshot)
        with MetricLog(self.run, self.fabric.is_global_zero, self.config, progress.say) as metric_log:
            with stop_flag() as self.stop, closing(self.loader):
                stopped = self._epochs(metric_log, progress)
            finished = not stopped
            metric_log.draw()
            if finished and self.epoch > first_epoch:
                self._compare_outputs(progress)
                self._report(progress)
            elif finished:
                progress.say(f"nothing is left to train: epoch {self.epoch} was the last")
            metric_log.finish(self.best.metrics, finished)
        best = self.best
        if finished and best.epoch and best.ap < 0:
            progress.say(f"no box to evaluate on, so there is no best epoch: {self.run.best} is of epoch {best.epoch}")
        elif finished and best.epoch:
            figures = f"AP {best.metrics['ap']:.3f}, AP50 {best.metrics['ap50']:.3f}"
            progress.say(f"best epoch {best.epoch}: {figures}; {self.run.best}")
        return TrainResult(self.run.path, best.epoch, best.metrics, finished)

    def _epochs(self, metric_log: MetricLog, progress: TrainingProgress) -> bool:
        """Those that are left; True where a stop was asked for before the last one."""
        stopped = False
        while self.epoch < self.epochs and not self._out_of_patience():
            stopped = any_rank(self.stop.requested, self.fabric.device)
            if stopped:
                break
            row, stopped = self._train_epoch(progress)
            if self.batches_done < len(self.loader):
                break
            self.epoch, self.batches_done = self.epoch + 1, 0
            self.sums, self.steps_counted = {}, 0
            row |= self._evaluate(progress)
            if self.diagnostics is not None:
                row |= self.diagnostics.finish_epoch(self.epoch)
            metric_log.write(row, self.epoch)
            self.save()
            left = self._seconds_left(self.seconds)
            progress.finish_epoch(self.epoch, row["loss"], row["ap"], row["ap50"], row["images_per_second"], left)
        stopped = stopped and self.epoch < self.epochs  # asked for in the very last step, it comes too late
        if stopped:
            self.save()
            progress.say(f"interrupted; go on with: {self.run.resume_command}")
        return stopped

    def _compare_outputs(self, progress: TrainingProgress) -> None:
        """Says what both outputs of the best weights reach."""
        if not self.fabric.is_global_zero or self.best.ap < 0:
            return
        progress.say("evaluating both outputs of the best weights")
        with _told(progress, "no comparison of outputs"):
            outputs = measure_outputs(self.run, self.val_set, self.val_images, self.config.eval)
            write_outputs(self.run, outputs)
            progress.say(output_table(outputs))
            progress.say(recommend(*outputs, self.run))

    def _report(self, progress: TrainingProgress) -> None:
        if not (self.config.train.report and self.fabric.is_global_zero):
            return
        progress.say("making the report")
        with _told(progress, "no report", f"; fusedet report {self.run.path} tries again"):
            sets = self.train_set, self.val_set
            progress.say(f"report in {report_after_training(self.run, sets, self.best.evaluation)}")

    def _train_epoch(self, progress: TrainingProgress) -> tuple[dict[str, float], bool]:
        """One pass over the images, or its rest. Ends early when a stop was asked for: the second value says so."""
        config, start, skipped, before = self.config, time.perf_counter(), self.batches_done, self.seconds
        mosaic = self.epoch < self.epochs - config.augment.close_epochs
        batches = TimedLoading(self.loader.epoch(self.epoch, mosaic, skipped))
        progress.begin("epoch", self.epoch + 1, len(self.loader), skipped)
        self.net.train()
        keep_frozen_norms(self._raw_net(), config.train.freeze)
        images, rate, stopped = 0, 0.0, False
        for batch in batches:
            step = self._step(batch)
            self.batches_done += 1
            if step.failure:
                self._roll_back(step.failure, batch, progress)
            else:
                self.rollback.record_good_step(self._snapshot)
                self.steps_counted += 1
                self.sums = {name: self.sums.get(name, 0.0) + value for name, value in step.losses.items()}
            images += len(batch.images) * self.fabric.world_size
            seconds = time.perf_counter() - start
            self.seconds, rate = before + seconds, images / seconds
            progress.finish_step(step.losses["loss"], self.best.ap, rate, self._seconds_left(self.seconds))
            # Gradients that wait for the rest of their step are not in a checkpoint: the step is finished first.
            if self.batches_done % config.train.accumulate == 0:
                if step.stop_requested:
                    stopped = True
                    break
                self._save_now_and_then()
        return {
            "epoch": self.epoch + 1,
            **{name: self.sums.get(name, math.nan) / max(self.steps_counted, 1) for name in LOSS_NAMES},
            "lr": self.optimizer.param_groups[0]["lr"],
            "images_per_second": rate,
            "waiting": batches.seconds / max(self.seconds - before, 1e-9),
            "seconds": self.seconds,
        }, stopped

    def _step(self, batch: Batch) -> Step:
        """Forward and backward pass of one batch, and the optimiser's step after the last of an accumulation."""
        config = self.config
        images, boxes, labels = (x.to(self.fabric.device) for x in (batch.images, batch.boxes, batch.labels))
        images = images.permute(0, 3, 1, 2).float()  # [B, H, W, 3] -> [B, 3, H, W]
        draw = f"{config.train.seed} {self.epoch} {self.batches_done}"
        images, boxes = rescale(images, boxes, side_factor(config.augment, self._epochs_done() / self.epochs, draw))
        anchors = anchor_points((images.shape[2], images.shape[3]), STRIDES).to(self.fabric.device)
        is_optimizer_step = (self.batches_done + 1) % config.train.accumulate == 0 or self.batches_done + 1 == len(
            self.loader
        )
        with self.fabric.no_backward_sync(self.net, enabled=not is_optimizer_step):
            weights = batch.weights.to(self.fabric.device) if config.loss.soft_labels else None
            truth = GroundTruth(boxes, labels, weights)
            total, parts = detection_loss(self.net(images), anchors, truth, config.loss)
            self.fabric.backward(total / config.train.accumulate)
        # One all-reduce for all that the ranks have to agree on.
        own = torch.stack([*(parts[name] for name in LOSS_NAMES), total.new_tensor(float(self.stop.requested))])
        *reduced, stops = rank_mean(own).tolist()
        losses = dict(zip(LOSS_NAMES, reduced, strict=True))
        step = Step(losses, None, stop_requested=stops > 0)
        if is_optimizer_step and not step.failure:
            step = Step(losses, self._clip_gradients(), step.stop_requested)
        if step.failure:
            self.optimizer.zero_grad(set_to_none=True)
        elif is_optimizer_step:
            assert config.optim.lr is not None  # defaults are resolved
            factor = learning_rate_factor(self._epochs_done(), self.epochs, config.optim)
            set_learning_rate(self.optimizer, config.optim.lr * factor * self.rollback.lr_factor)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.ema.update(self._raw_net())
        return step

    def _roll_back(self, failure: str, batch: Batch, progress: TrainingProgress) -> None:
        """Answers a batch whose loss or gradients are not finite: see :mod:`fusedet.train.loop.rollback`.

        Raises FloatingPointError if it was the last of several in a row.
        """
        names = {sample.image_id: sample.path.name for sample in self.train_set.samples}
        mine = [names[int(image)] for image in batch.image_ids]
        state = self.rollback.record_failure(name for names_of_rank in gather(mine) for name in names_of_rank)
        what = f"{failure} in epoch {self.epoch + 1}, step {self.batches_done}, with {self.rollback.images}"
        if self.rollback.gives_up and not self.fabric.is_global_zero:
            raise SystemExit(1)  # the first process says it
        if self.rollback.gives_up:
            raise FloatingPointError(
                f"{what}; that was number {MAX_FAILURES} in a short time; a lower optim.lr or a smaller "
                f"optim.clip_norm helps, and the images may be worth a look; {self.run.last} holds a good state: "
                f"{self.run.resume_command} optim.lr=..."
            )
        self._load_learned(state["learned"], state["ema_steps"])
        slower = f" with {self.rollback.lr_factor:g} of the learning rate" if self.rollback.lr_factor < 1 else ""
        progress.say(f"{what}; the batch is left out, and the training goes on from an earlier state{slower}")

    def _snapshot(self) -> dict[str, Any]:
        return {"learned": self._learned(), "ema_steps": self.ema.steps}

    def _save_now_and_then(self) -> None:
        """Within an epoch; what is saved at its end is not saved twice."""
        minutes = self.config.train.save_minutes
        if minutes and self.batches_done < len(self.loader) and time.monotonic() - self._saved_at >= 60 * minutes:
            self.save()

    def _clip_gradients(self) -> float | None:
        """Where the config wants it; returns the norm before that, where it can tell a failure."""
        limit = self.config.optim.clip_norm or math.inf
        found = self.fabric.clip_gradients(self.net, self.optimizer, max_norm=limit, error_if_nonfinite=False)
        assert found is not None
        norm = float(found)
        if self.diagnostics is not None:
            self.diagnostics.add_step(norm, limit)
        # Half precision finds its scale by trying: gradients that overflow are left out by its scaler.
        return None if self.fabric.strategy.precision.precision == "16-mixed" else norm

    def _evaluate(self, progress: TrainingProgress) -> dict[str, float]:
        """Accuracy of the averaged weights, where this epoch is evaluated; keeps the best."""
        config = self.config.eval
        if self.epoch % config.every and self.epoch != self.epochs:
            return dict.fromkeys(SUMMARY_NAMES, math.nan)
        metrics: Metrics | None = None
        evaluation: Evaluation | None = None
        if self.fabric.is_global_zero:
            progress.begin("evaluating", self.epoch, len(self.val_set.samples))
            start = time.perf_counter()
            predictor = TorchDetector(self.ema.net, self.train_set.names, config)
            with self.diagnostics.watch(predictor.graph) if self.diagnostics is not None else nullcontext():
                found = find_objects(predictor, self.val_set, self.val_images, config.batch, progress.advance)
            metrics = evaluate_detections(self.val_set, found)
            evaluation = Evaluation(self.val_set, found, metrics)
            self.seconds += time.perf_counter() - start
        metrics = self.fabric.broadcast(metrics)
        assert metrics is not None
        if self.best.offer(metrics, self.epoch, evaluation) and self.fabric.is_global_zero:
            save_checkpoint(self.run.best, {"ema": self.ema.net.state_dict()}, self._meta())
        return metrics.summary()

    def _seconds_left(self, seconds: float) -> float:
        """To the end of the last epoch, when it took ``seconds`` to come here."""
        done = self._epochs_done()
        return seconds / done * (self.epochs - done)

    def _epochs_done(self) -> float:
        return self.epoch + self.batches_done / len(self.loader)

    def _out_of_patience(self) -> bool:
        patience = self.config.train.patience
        return bool(patience and self.best.epoch and self.epoch - self.best.epoch >= patience)

    def _ema_decay(self) -> float:
        """The wanted decay, or less where its memory would reach far back into a short training."""
        steps = self.epochs * len(self.loader) / self.config.train.accumulate
        memory = max(1.0, steps * self.config.train.ema_memory)
        return min(self.config.train.ema_decay, 1 - 1 / memory)

    def _raw_net(self) -> DetectorNet:
        net: DetectorNet = self.net.module
        return net

    def _meta(self) -> dict[str, Any]:
        return {
            "names": list(self.train_set.names),
            "model": self.config.model.model_dump(mode="json"),
            "epoch": self.epoch,
            "batches_done": self.batches_done,
            **self.best.to_meta(),
            "ema_steps": self.ema.steps,
            "sums": self.sums,
            "steps_counted": self.steps_counted,
            "guard": self.rollback.to_meta(),
            "seconds": self.seconds,
            "data": str(self.train_set),
            "annotations": [annotation_digest(dataset) for dataset in (self.train_set, self.val_set)],
            "config": self.config.model_dump(mode="json"),
            "fusedet_version": version("fusedet"),
            "torch_version": str(torch.__version__),
            "machine": this_computer(),
        }


@contextmanager
def _told(progress: TrainingProgress, failed: str, advice: str = "") -> Iterator[None]:
    """The training is done: what goes wrong in here is told, and cannot take that away."""
    try:
        yield
    except Exception as error:
        _log.debug(failed, exc_info=True)
        progress.say(f"{failed}: {in_one_line(error)}{advice}")
