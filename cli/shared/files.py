"""Files that commands read and write: none is replaced unasked, and none is left half written."""

import atexit
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from fusedet.cli.shared.terminal import say_progress
from fusedet.common import atomic as whole_file
from fusedet.common.errors import InputError


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


def write_or_refuse(path: Path, text: str) -> None:
    """Writes ``path`` wholly or not at all (:mod:`fusedet.common.atomic`); InputError where it cannot be written."""
    try:
        whole_file.write_text(path, text)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def exported_from(checkpoint: Path) -> Path:
    """The fused file of a checkpoint, made for this command alone and removed when it ends.

    Raises:
        InputError: the checkpoint cannot be exported, or what exports is not installed here.
    """
    if find_spec("torch") is None or find_spec("onnx") is None:
        raise InputError(
            f"{checkpoint}: this is a checkpoint; `fusedet export` makes the file that runs of it, where training is "
            "installed"
        )
    from fusedet.export import export_onnx

    print(f"note: {checkpoint} is exported for this time; `fusedet export` makes a file to keep", file=sys.stderr)
    folder = Path(tempfile.mkdtemp(prefix="fusedet-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return export_onnx(checkpoint, folder).fused


def counter(what: str = "images", total: int | None = None) -> Callable[[int], None]:
    """Says on a terminal how many images, or other things, are done, of how many in all."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        say_progress(f"{done}{'' if total is None else f' of {total}'} {what}")

    return count
