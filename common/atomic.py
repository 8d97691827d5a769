"""Files that are written wholly or not at all: whoever looks finds what was there before, or all of the new."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What the system says when something cannot be written, also where it does not say to which file.
OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
_PARTS = ".fusedet-*.part"


@contextmanager
def whole_file(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """An empty file beside ``path`` to write into, which becomes ``path`` once the block has ended well.

    If it does not, that file is removed and ``path`` stays as it was. Of several writers the last to end wins. A file
    that is replaced keeps its permissions and, where the system lets us, its owner; a link goes on pointing to it. What
    can only be written straight into, as /dev/stdout, is.

    Args:
        path: in a folder that exists.
        sync: forces the file onto the disk before it is moved. Many file systems move first and write later: after a
            power cut there would be an empty file in the place of the old one. It takes up to a tenth of a second on an
            SD card and wears it: leave it out for what comes by the thousand, or may be lost. That the move itself is
            on the disk is not waited for, since before it there is the old file.

    Raises:
        OSError: it cannot be written; the error names ``path``.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        yield path
        return
    place = Path(os.path.realpath(path)) if path.is_symlink() else path
    part = place.with_name(_PARTS.replace("*", os.urandom(8).hex()))
    try:
        _create(part, like=place)
        yield part
        if sync:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(part, place)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError) and error.errno and error.filename in (None, part, str(part)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """A disk that is full or broken is said of ``path``, not of the temporary file, or of none, that was written."""
    try:
        yield
    except OSError as error:
        if error.errno in OF_THE_DISK:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_bytes(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Writes ``path`` as :func:`whole_file` does."""
    with whole_file(path, sync=sync) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str, *, sync: bool = True) -> None:
    """Writes ``path`` as :func:`whole_file` does, in UTF-8 and with the line ends that ``text`` has.

    Bytes of a file's name that are no UTF-8 stand there as ``\\udce8``, which JSON reads back.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"), sync=sync)


def remove_parts(folder: Path) -> None:
    """Removes what writers that were killed have left in a folder; to be called where nobody writes."""
    for part in folder.glob(_PARTS):
        part.unlink(missing_ok=True)


def _create(part: Path, like: Path) -> None:
    """Makes an empty file with the permissions of ``like``, or of any new file where that is not there."""
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    with contextlib.suppress(FileNotFoundError):
        before = like.stat()
        if hasattr(os, "chown"):
            with contextlib.suppress(OSError):
                os.chown(part, before.st_uid, before.st_gid)
        part.chmod(stat.S_IMODE(before.st_mode))
