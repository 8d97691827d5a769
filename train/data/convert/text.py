"""Text of files that anybody may have written."""

from pathlib import Path

from fusedet.common.errors import InputError


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without their ends.

    Raises:
        InputError: it cannot be read, or is not UTF-8; the message names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: not text in UTF-8") from error
