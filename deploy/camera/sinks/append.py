"""Appends to a file wholly or not at all, also on a full disk."""

import errno
import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["append_whole", "open_to_append"]


def open_to_append(path: Path) -> BinaryIO:
    """Opens a file, or makes it, for :func:`append_whole`."""
    return path.open("ab", buffering=0)


def append_whole(file: BinaryIO, data: bytes) -> None:
    """Appends ``data`` to a file of :func:`open_to_append`.

    Raises:
        OSError: it cannot be written; then the file is as before.
    """
    before = os.fstat(file.fileno()).st_size
    try:
        if file.write(data) < len(data):  # as much as there was room for
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)
    except OSError:
        file.truncate(before)
        raise
