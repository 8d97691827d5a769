"""Which files a user means: models and annotated images. Standard library only."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from fusedet.common.errors import InputError
from fusedet.configs.layouts import find_sets, image_folder
from fusedet.configs.starter import available, starter_model

#: What a checkpoint's name ends in.
CHECKPOINTS = (".pt", ".pth")
#: Of a run folder: the averaged weights of its best epoch.
BEST_CHECKPOINT = "best.pt"
#: What a run folder is for commands that run exported files: its export, or else what one can be made of.
EXPORTED_FIRST = ("best.fused.onnx", "best.onnx", BEST_CHECKPOINT)


def model_file(
    path: Path, find: Callable[[str], Path] = starter_model, of_run: Sequence[str] = (BEST_CHECKPOINT,)
) -> Path:
    """What ``path`` means: itself, a bundle too, the best network of a run folder, or a preset's starter weights.

    ``find`` gives the starter weights of a preset; ``of_run`` are names in a run folder, of which the first that is
    there counts.

    Raises:
        InputError: there is none.
    """
    path = or_starter(path, find)
    if os.path.isdir(path) and (path / "manifest.json").is_file():
        return path
    file = path
    if os.path.isdir(path):
        file = next((path / name for name in of_run if (path / name).is_file()), path / of_run[-1])
    if not os.path.isfile(file):
        if os.path.isdir(path):
            raise InputError(f"{path}: expected a model file or a run folder, but this folder has no {file.name}")
        raise InputError(f"{file}: no such model file")
    return file


def exported_file(path: Path) -> Path:
    """What ``path`` means for a command that runs exported files; InputError for a checkpoint."""
    file = model_file(path, of_run=EXPORTED_FIRST)
    if file.suffix in CHECKPOINTS:
        raise InputError(f"{file}: expected an exported file or a bundle, not a checkpoint")
    return file


def or_starter(path: Path, find: Callable[[str], Path] = starter_model) -> Path:
    """``path``, or what ``find`` makes of it where it is no path but the name of a preset with starter weights."""
    return find(str(path)) if not os.path.exists(path) and str(path) in available() else path


def coco_files(data: Path, split: str = "val", images: Path | None = None) -> tuple[Path, Path]:
    """Annotation file and image folder that ``--data``, ``--split`` and ``--images`` mean; InputError where one is not
    there.
    """
    annotations = data / "annotations" / f"{split}.json" if os.path.isdir(data) else data
    found = find_sets(data) if os.path.isdir(data) else {}
    if split in found:
        annotations = found[split].annotations
    if not os.path.isfile(annotations):
        raise InputError(f"--data {data}: expected a COCO annotation file {annotations}, but there is none")
    images = images or image_folder(annotations, data if os.path.isdir(data) else None)
    if not os.path.isdir(images):
        raise InputError(f"--images: expected a folder of images, but there is none at {images}")
    return annotations, images
