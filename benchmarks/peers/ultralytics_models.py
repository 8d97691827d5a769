"""Exports Ultralytics' networks as peers for the other benchmarks, with their own exporter and its best settings.

    pip install '.[ultralytics]'
    python -m benchmarks.peers.ultralytics_models --out peers yolo26n yolo11n
    python -m benchmarks.peers.ultralytics_models --out peers yolo11n --activation 'torch.nn.LeakyReLU(0.1)'

The networks are built from their architecture files with fresh weights: they take as long as trained ones. Of one that
can do without NMS that branch is exported, decoding included; the others' files leave NMS to whoever runs them.
"""

import argparse
import importlib.machinery
import math
import os
import shutil
import sys
import types
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fusedet.deploy.detector.decoding import nms

#: What a network's output still needs. ``nms-free``: nothing; ``nms``: non-maximum suppression.
HEADS = ("nms-free", "nms")

#: Services that Ultralytics reports a training to, where their packages happen to be installed.
_REPORTERS = ("sync", "clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")


def is_installed() -> bool:
    return find_spec("ultralytics") is not None


def prepare_ultralytics(folder: Path) -> None:
    """Imports Ultralytics so that it stays off the network, and keeps its settings in ``folder``.

    Call it before anything else imports Ultralytics. That changes settings of torch and OpenCV for the whole process.
    """
    os.environ.update(YOLO_CONFIG_DIR=str(folder.resolve()), YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false")
    _provide_fonts(folder / "Ultralytics")
    stand_in_for_torchvision()
    from ultralytics import settings

    places = {name: str(folder.resolve() / name) for name in ("datasets_dir", "runs_dir", "weights_dir")}
    settings.update({**places, **{name: False for name in _REPORTERS if name in settings}})
    from ultralytics.utils import nms as their_nms

    # After some seconds it would leave the rest of a batch without detections: a busy machine would lower their AP.
    their_nms.non_max_suppression = partial(their_nms.non_max_suppression, max_time_img=math.inf)


def stand_in_for_torchvision() -> None:
    """Ultralytics imports torchvision, and uses nothing of it but NMS: ours takes its place.

    A build of torchvision that does not fit the installed torch would fail to import.
    """
    package: Any = types.ModuleType("torchvision")
    package.__spec__ = importlib.machinery.ModuleSpec("torchvision", None)
    package.__version__ = "0"
    package.ops = types.ModuleType("torchvision.ops")
    package.ops.nms = torch_nms
    sys.modules.update({"torchvision": package, "torchvision.ops": package.ops})


def torch_nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """``torchvision.ops.nms``: tensors ``[N, 4]`` xyxy and ``[N]`` -> positions of the kept boxes, best first."""
    import torch

    one_class = np.zeros(len(boxes), np.int64)
    kept = nms(boxes.detach().cpu().numpy(), scores.detach().cpu().numpy(), one_class, iou_threshold)
    return torch.from_numpy(kept).to(boxes.device)


def heads(model: Any) -> list[str]:
    """Those of :data:`HEADS` that a ``YOLO`` object has."""
    one_to_one = getattr(model.model.model[-1], "one2one_cv2", None) is not None
    return ["nms-free", "nms"] if one_to_one else ["nms"]


def nms_argument(head: str) -> bool | None:
    """Ultralytics' argument ``nms`` for ``train``, ``val`` and ``export``: False picks the branch without NMS."""
    return False if head == "nms-free" else None


def export_peer(model: Any, out: Path, size: int, head: str) -> None:
    """Writes one branch of a ``YOLO`` object to the ONNX file ``out``."""
    settings = {"imgsz": size, "simplify": True, "opset": 17, "device": "cpu"}
    shutil.move(model.export(format="onnx", nms=nms_argument(head), **settings), out)


def with_activation(name: str, activation: str, folder: Path) -> Path:
    """Writes the architecture file ``name`` with another activation, in the words of Ultralytics' own key for it."""
    import yaml
    from ultralytics.nn.tasks import yaml_model_load

    architecture = {key: value for key, value in yaml_model_load(f"{name}.yaml").items() if key != "yaml_file"}
    short = activation.partition("(")[0].rpartition(".")[2].lower()
    changed = folder / f"{name}-{short}.yaml"
    changed.write_text(yaml.safe_dump({**architecture, "activation": activation}))
    return changed


def _provide_fonts(folder: Path) -> None:
    """Ultralytics would fetch the fonts that it labels images with, even where it draws none."""
    from matplotlib import get_data_path

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        if not (folder / name).exists():
            shutil.copyfile(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", folder / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", help="for example yolo26n, yolo11n, yolov8n")
    parser.add_argument("--out", type=Path, default=Path("peers"))
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--activation", help="other than the architecture's, for example torch.nn.LeakyReLU(0.1)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    prepare_ultralytics(args.out / "settings")
    from ultralytics import YOLO

    for name in args.names:
        file = with_activation(name, args.activation, args.out) if args.activation else Path(f"{name}.yaml")
        model = YOLO(str(file))
        export_peer(model, args.out / f"{file.stem}.onnx", args.size, heads(model)[0])


if __name__ == "__main__":
    main()
