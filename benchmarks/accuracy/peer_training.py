"""Trains Ultralytics' networks from scratch by Ultralytics' own rules, in a process of its own.

Imported, Ultralytics changes settings of torch and OpenCV that the training of fusedet should not see.
"""

import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from statistics import harmonic_mean
from typing import Any, TextIO

import torch

from benchmarks.accuracy.trainings import Job
from benchmarks.command import write_json
from benchmarks.peers.ultralytics_models import export_peer, heads, nms_argument, prepare_ultralytics
from benchmarks.peers.yolo_format import write_yolo_format

#: Processes that prepare batches, where Ultralytics does not do without them, as it does on a CPU.
WORKERS = 2


class PeerError(Exception):
    """Ultralytics ended without a result."""


def train_peer(job: Job) -> bool:
    """Trains, or goes on with a training, grades it by Ultralytics' own ``val`` and exports it. True: it is finished.

    Raises:
        PeerError: it failed.
    """
    data = write_yolo_format(job.data, job.out / job.data.name / "yolo")
    process = multiprocessing.get_context("spawn").Process(target=_train, args=(job, data, torch.get_num_threads()))
    process.start()
    try:
        process.join()
    finally:
        process.terminate()
        process.join()
    if process.exitcode:
        raise PeerError(f"Ultralytics ended with exit code {process.exitcode}; what it said is in {_said(job)}")
    return True


def _train(job: Job, data: Path, threads: int) -> None:
    """What runs in the other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends this process
    terminal = _redirect_output(_said(job))
    prepare_ultralytics(job.out / "ultralytics")
    device = {"auto": None, "cuda": 0}.get(job.device, job.device)
    settings: dict[str, Any] = {"data": str(data.resolve()), "imgsz": job.size, "device": device, "workers": WORKERS}
    settings |= {"plots": False, "project": str(job.folder.resolve()), "exist_ok": True}
    images = len(list((data.parent / "images" / "train").iterdir()))
    log = job.folder / "epochs.jsonl"
    _fit(job, settings, _Watch(log, terminal, threads, images))
    _conclude(job, settings, summary(read_epochs(log)))


def _fit(job: Job, settings: dict[str, Any], watch: "_Watch") -> None:
    from ultralytics import YOLO

    last = job.run / "weights" / "last.pt"
    resumed = last.exists()
    model = YOLO(last if resumed else f"{job.model}.yaml")
    # A finished training's last.pt has lost its epoch, or says the last one when only the final grading is missing.
    if resumed and model.ckpt["epoch"] in (-1, job.epochs - 1):
        return
    watch.attach(model, anew=not resumed)
    # Everything else is Ultralytics' default. patience: no earlier end; nms: which branch chooses the best epoch.
    model.train(
        **settings,
        name=job.run.name,
        epochs=job.epochs,
        seed=job.seed,
        pretrained=False,
        patience=job.epochs,
        nms=nms_argument(heads(model)[0]),
        resume=resumed,
    )


def _conclude(job: Job, settings: dict[str, Any], record: dict[str, Any]) -> None:
    """Ultralytics' own grades, the exported files, and the record that says that all is there."""
    from ultralytics import YOLO, __version__

    best = job.run / "weights" / "best.pt"
    own_val = {}
    for head in heads(YOLO(best)):
        box = YOLO(best).val(**settings, name=f"val-{head}", split="val", nms=nms_argument(head)).box
        own_val[head] = {"ap": float(box.map), "ap50": float(box.map50)}
        export_peer(YOLO(best), job.folder / f"{head}.onnx", job.size, head)
    write_json(job.record, {**record, "own_val": own_val, "ultralytics": __version__})


def _said(job: Job) -> Path:
    return job.folder / "ultralytics.log"


def _redirect_output(log: Path) -> TextIO:
    """Sends all that this process prints to ``log``; gives what leads to the terminal still."""
    terminal = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    with log.open("a", encoding="utf-8") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    return terminal


class _Watch:
    """Notes each epoch of an Ultralytics training: a JSON line an epoch, so that an interruption loses none."""

    def __init__(self, log: Path, terminal: TextIO, threads: int, images: int) -> None:
        self._log, self._terminal, self._threads, self._images = log, terminal, threads, images
        self._start = self._trained = 0.0

    def attach(self, model: Any, anew: bool) -> None:
        """Lets a ``YOLO`` object call this one; ``anew`` forgets an earlier training."""
        if anew:
            self._log.unlink(missing_ok=True)
        model.add_callback("on_train_start", self._use_threads)
        model.add_callback("on_train_epoch_start", self._begin)
        model.add_callback("on_train_epoch_end", self._pause)
        model.add_callback("on_fit_epoch_end", self._write)

    def _use_threads(self, trainer: Any) -> None:
        """Ultralytics leaves one core free, fusedet does not."""
        torch.set_num_threads(self._threads)

    def _begin(self, trainer: Any) -> None:
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            sys.exit("the benchmark was killed: to go on would spoil the training that its next start resumes")
        self._start = time.perf_counter()

    def _pause(self, trainer: Any) -> None:
        self._trained = time.perf_counter() - self._start

    def _write(self, trainer: Any) -> None:
        if trainer.epoch >= trainer.epochs:  # the grading of best.pt after the last epoch
            return
        row = {
            "epoch": trainer.epoch + 1,
            "ap": float(trainer.metrics["metrics/mAP50-95(B)"]),
            "ap50": float(trainer.metrics["metrics/mAP50(B)"]),
            "seconds": time.perf_counter() - self._start,
            "images_per_second": self._images / self._trained,
        }
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        progress = f"epoch {row['epoch']}/{trainer.epochs}  AP {row['ap']:.3f}  AP50 {row['ap50']:.3f}"
        print(f"{progress}  {row['images_per_second']:.1f} images/s", file=self._terminal, flush=True)


def read_epochs(log: Path) -> list[dict[str, float]]:
    """The epochs in order. One that was trained twice, because it was not saved the first time, counts once."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return list({row["epoch"]: row for row in rows}.values())


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """What a training's record says of its epochs. Seconds are of training and grading, images of training alone."""
    return {
        "seconds": sum(row["seconds"] for row in rows),
        "images_per_second": harmonic_mean([row["images_per_second"] for row in rows]),
        "best_epoch": max(rows, key=lambda row: row["ap"])["epoch"],
        "curve": [{key: row[key] for key in ("epoch", "ap", "ap50")} for row in rows],
    }
