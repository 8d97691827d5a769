"""Folders that appear whole or not at all, and the files in them."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fusedet.common.atomic import naming
from fusedet.common.errors import InputError


def check_free(out: Path) -> None:
    """To be called before long work. Raises InputError if ``out`` holds something already."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out}: exists already; name a folder that is not there yet")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which becomes ``out`` once the block has ended well. If it does not, nothing of it is left.

    Raises InputError if ``out`` holds something already, and OSError if the disk is full, or takes no more for another
    reason; the error names ``out``.
    """
    check_free(out)
    above = [folder for folder in out.absolute().parents if not folder.exists()]  # the nearest first
    try:
        with naming(out), _filled(out) as made:
            yield made
    except BaseException:
        for folder in above:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def _filled(out: Path) -> Iterator[Path]:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        made = Path(folder) / out.name
        made.mkdir()
        yield made
        if out.exists():
            out.rmdir()  # empty: not every system moves a folder onto another
        os.replace(made, out)


def copy_file(source: Path, target: Path, link: bool = False) -> None:
    """Copies a file, or makes a hard link to it where the file system can. Folders are made as needed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(source, target)
            return
        except OSError:  # another file system, or one without links
            pass
    shutil.copyfile(source, target)
