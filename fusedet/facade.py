"""Training, evaluation and export from Python, as short as on the command line."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusedet.common.errors import InputError
from fusedet.common.text import nearest
from fusedet.configs.inputs import coco_files, model_file
from fusedet.configs.reader.loader import COMMAND_LINE
from fusedet.configs.reader.schema_keys import all_keys, full_key, json_schema, yaml_text
from fusedet.export.pipeline import ExportResult, export_onnx
from fusedet.train.config import EvalConfig, TrainConfig, load_train_config
from fusedet.train.evaluation.evaluate import evaluate_model
from fusedet.train.evaluation.metrics import Metrics
from fusedet.train.loop.start import train as train_from_config
from fusedet.train.run_folder import RunFolder


@dataclass(frozen=True)
class TrainedModel:
    """A training run and its best weights.

    Attributes:
        path: the run folder.
        best: the checkpoint of the best epoch, ``best.pt``.
        report: the page about the training, ``report.html``.
        best_epoch: number of the best epoch, counted from 1.
        metrics: of that epoch on the validation set, such as ``ap`` and ``ap50``, in 0..1.
        finished: False when it was interrupted; ``fusedet train --resume PATH`` goes on.
    """

    path: Path
    best: Path
    report: Path
    best_epoch: int
    metrics: dict[str, float]
    finished: bool

    def __str__(self) -> str:
        ap, ap50 = self.metrics.get("ap", math.nan), self.metrics.get("ap50", math.nan)
        return f"{self.path}: AP {ap:.3f}, AP50 {ap50:.3f} in epoch {self.best_epoch}"

    def export(self, out: str | Path | None = None, **settings: Any) -> ExportResult:
        """Exports ``best``; arguments as of :func:`fusedet.export.export_onnx`."""
        return export_onnx(self.path, out, **settings)


def train(
    config: str | Path = "nano",
    data: str | Path | None = None,
    *,
    input_size: int | tuple[int, int] | None = None,
    settings: Sequence[str] = (),
    **values: Any,
) -> TrainedModel:
    """Trains a network, and writes what it finds into a new run folder.

    Args:
        config: name of a preset, or path of a YAML file.
        data: folder with ``images/`` and ``annotations/{train,val}.json`` in COCO's format; left out, the config says.
        input_size: side, or ``(height, width)``, in pixels, multiples of 32.
        settings: further ones as on the command line: ``["augment.mosaic=0.5"]``.
        values: settings by the last part of their key, or by a name that other programs have for them: ``epochs``,
            ``batch``, ``seed``, ``device``, ``init``, ``out``, ``lr``, ``workers``, ``mosaic``, ``imgsz``.

    Raises:
        InputError: the data or a setting cannot be used; nothing has been written then.
    """
    overrides = [settings] if isinstance(settings, str) else list(settings)
    values = {"data": data, "input_size": input_size, **values}
    overrides += [f"{_key(name)}={_yaml(value)}" for name, value in values.items() if value is not None]
    try:
        loaded = load_train_config(str(config), overrides)
    except InputError as error:
        raise InputError(str(error).replace(f"{COMMAND_LINE}: ", "train: ")) from None
    result = train_from_config(loaded, name=Path(config).stem)
    run = RunFolder(result.run_dir)
    return TrainedModel(run.path, run.best, run.report, result.best_epoch, result.metrics, result.finished)


def _key(name: str) -> str:
    """The whole key of a keyword argument.

    Raises:
        InputError: it means no setting, or several.
    """
    known = all_keys(json_schema(TrainConfig))
    key = full_key(name, known)
    if key is None:
        names = ["data", "input_size", "settings", *(one.rpartition(".")[2] for one in known)]
        raise InputError(
            f"train: unknown argument {name!r}{nearest(name, names)}; one that several sections have goes into "
            'settings: settings=["model.head.depth=1"]'
        )
    return key


def _yaml(value: object) -> str:
    """A value as a config has it: paths as text, numbers of numpy as numbers, tuples as lists."""
    if isinstance(value, str | Path):
        return yaml_text(str(value))
    return json.dumps(value, default=lambda other: other.item() if hasattr(other, "item") else str(other))


def evaluate(
    model: str | Path, data: str | Path, split: str = "val", *, nms: bool = True, images: str | Path | None = None
) -> Metrics:
    """Average precision of a model on annotated images.

    Args:
        model: checkpoint, run folder, exported file, or a preset with starter weights.
        data: folder with ``images/`` and ``annotations/``, or a COCO annotation file.
        split: which annotations of the folder.
        nms: the output of a checkpoint with NMS; False: its NMS-free output. An exported file has one output.
        images: folder of the images, where it is not beside the annotations.

    Raises:
        InputError: a file cannot be used, or the classes differ.
    """
    annotations, folder = coco_files(Path(data), split, None if images is None else Path(images))
    return evaluate_model(model_file(Path(model)), annotations, folder, EvalConfig(nms=nms))
