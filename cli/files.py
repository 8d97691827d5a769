"""Files that commands read and write: none is replaced unasked, and none is left half written."""

import sys
from collections.abc import Callable
from pathlib import Path

from fusedet.configs import whole_file
from fusedet.configs.errors import InputError
from fusedet.configs.starter import available, starter_model

__all__ = ["CHECKPOINTS", "coco_files", "counter", "model_file", "or_starter", "refuse_to_replace", "write_text"]


#: What a checkpoint's name ends in.
CHECKPOINTS = (".pt", ".pth")


def model_file(path: Path) -> Path:
    """What ``path`` means: itself, a bundle too, a run folder's best checkpoint, or a preset's starter weights.

    Raises:
        InputError: there is none.
    """
    path = or_starter(path, starter_model)
    if path.is_dir() and (path / "manifest.json").is_file():
        return path
    file = path / "best.pt" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file}: no such model file")
    return file


def or_starter(path: Path, find: Callable[[str], Path] = starter_model) -> Path:
    """``path``, or what ``find`` makes of it where it is no path but the name of a preset with starter weights."""
    return find(str(path)) if not path.exists() and str(path) in available() else path


def coco_files(data: Path, split: str = "val", images: Path | None = None) -> tuple[Path, Path]:
    """Annotation file and image folder that ``--data``, ``--split`` and ``--images`` mean.

    Raises:
        InputError: one is not there.
    """
    if data.is_dir():
        annotations, beside = data / "annotations" / f"{split}.json", data / "images"
    else:
        annotations, beside = data, data.parent.parent / "images"
    images = images or beside
    if not annotations.is_file():
        raise InputError(f"--data {data}: expected a COCO annotation file {annotations}, but there is none")
    if not images.is_dir():
        raise InputError(f"--images: expected a folder of images, but there is none at {images}")
    return annotations, images


def refuse_to_replace(option: str, path: Path | None, force: bool) -> None:
    """To be called before long work.

    Raises:
        InputError: ``path`` exists and ``force`` is not set, it is a folder, or its folder does not exist.
    """
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{option} {path}: expected a file, but this is a folder")
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: there is no folder {path.parent}")
    if path.exists() and not force:
        raise InputError(f"{option} {path}: this file exists; choose another, or add --force to replace it")


def write_text(path: Path, text: str) -> None:
    """Writes ``path`` wholly or not at all: see :mod:`fusedet.configs.whole_file`.

    Raises:
        InputError: it cannot be written.
    """
    try:
        whole_file.write_text(path, text)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def counter(what: str = "images") -> Callable[[int], None]:
    """Says on a terminal how many images, or other things, are done."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        if sys.stderr.isatty():
            print(f"\r{done} {what} ", end="", file=sys.stderr, flush=True)

    return count
