"""The trainings that the accuracy benchmark compares: each in a folder of its own, and none done twice."""

import hashlib
import math
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import harmonic_mean
from typing import Any

from benchmarks.command import read_json, write_json
from benchmarks.peers.ultralytics_models import HEADS
from fusedet.common.errors import InputError
from fusedet.configs.reader.loader import load_config
from fusedet.export import export_onnx
from fusedet.model.checkpoint import load_checkpoint
from fusedet.train.config import DataConfig, TrainConfig, load_train_config
from fusedet.train.loop.start import resume, train
from fusedet.train.run_folder import RunFolder

#: Ultralytics' networks that can be trained beside the presets.
PEERS = ("yolo26n", "yolo11n", "yolov8n")


@dataclass(frozen=True)
class Job:
    """One training, of a preset or one of :data:`PEERS`, and where its results lie: in a folder of ``out``."""

    model: str
    data: Path
    seed: int
    epochs: int
    size: int
    out: Path
    device: str = "auto"

    def __str__(self) -> str:
        return f"{self.data.name} {self.model} seed {self.seed}"

    @property
    def is_peer(self) -> bool:
        """Whether Ultralytics trains it."""
        return self.model in PEERS

    @property
    def folder(self) -> Path:
        """Of all that this training leaves behind."""
        return self.out / self.data.name / f"{self.model}-{self.size}px-{self.epochs}e-seed{self.seed}"

    @property
    def run(self) -> Path:
        """The run folder of fusedet or Ultralytics."""
        return self.folder / "run"

    @property
    def record(self) -> Path:
        """Written when the training is done and its files are exported."""
        return self.folder / "training.json"

    @property
    def grades(self) -> Path:
        """What the exported files reached."""
        return self.folder / "grades.json"

    @property
    def annotations(self) -> Path:
        """What it is graded on."""
        return self.data / "annotations" / "val.json"

    def files(self) -> dict[str, Path]:
        """Exported files by what their output needs (:data:`~benchmarks.peers.ultralytics_models.HEADS`)."""
        paths = {head: self.folder / f"{head}{'' if self.is_peer else '.fused'}.onnx" for head in HEADS}
        return {head: path for head, path in paths.items() if path.exists()}

    def state(self) -> str:
        """``finished``, ``interrupted`` or ``new``."""
        if self.record.exists():
            return "finished"
        return "interrupted" if self.folder.exists() else "new"

    @cached_property
    def origin(self) -> dict[str, Any]:
        """What must be the same for an earlier result to count as this one's: the annotations and the preset."""
        digest = hashlib.sha256()
        for split in ("train", "val"):
            digest.update((self.data / "annotations" / f"{split}.json").read_bytes())
        preset = None if self.is_peer else load_config(self.model, []).data
        return {"annotations": digest.hexdigest(), "preset": preset}

    def check_origin(self) -> None:
        """Raises InputError where the folder holds a training on other annotations, or of a preset that has changed
        since.
        """
        path = self.folder / "origin.json"
        before = read_json(path) if path.exists() else self.origin
        changed = [key for key, value in self.origin.items() if before.get(key) != value]
        if changed:
            raise InputError(
                f"{self.folder}: was trained with other {' and '.join(changed)}; delete it, or give another --out"
            )

    def begin(self) -> None:
        """Makes the folder and says in it where the training comes from."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "origin.json", self.origin)


def train_preset(job: Job) -> bool:
    """Trains a preset, or goes on with it, and exports both of its branches. False when it was interrupted."""
    run = RunFolder(job.run)
    if run.last.exists():
        result = resume(job.run)
    else:
        shutil.rmtree(job.run, ignore_errors=True)  # of a training that was killed in its first epoch
        result = train(preset_config(job), job.model)
    if not result.finished:
        return False
    for head in HEADS:
        export_onnx(run.best, job.folder / f"{head}.onnx", nms=head == "nms", overwrite=True)
    rows = run.read_metrics()
    record = {
        "seconds": load_checkpoint(run.last).meta["seconds"],
        "images_per_second": harmonic_mean([row["images_per_second"] for row in rows]),
        "best_epoch": result.best_epoch,
        "curve": [{"epoch": int(row["epoch"]), "ap": row["ap"], "ap50": row["ap50"]} for row in rows if is_graded(row)],
    }
    write_json(job.record, record)
    return True


def is_graded(row: dict[str, float]) -> bool:
    """Epochs between two evaluations have no accuracy."""
    return not math.isnan(row["ap"])


def preset_config(job: Job) -> TrainConfig:
    """The preset as it is shipped, for the benchmark's data, epochs, size and seed."""
    numbers = {"model.input_size": job.size, "train.epochs": job.epochs, "train.seed": job.seed}
    overrides = [f"{key}={value}" for key, value in numbers.items()]
    config = load_train_config(job.model, [*overrides, f"train.device={job.device}"])
    places = {"data": DataConfig(root=job.data), "train": config.train.model_copy(update={"out": job.run})}
    return config.model_copy(update=places)
