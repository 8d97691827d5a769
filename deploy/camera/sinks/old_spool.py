"""The queue on disk of version 0.1, which is taken over once.

Its folder holds segments, ``00000000000000000001.log`` by the number of the first record, with a line for each record:
the CRC-32 of its text, a blank, and the text. ``taken`` holds the number of the last record that was taken.
"""

import re
import zlib
from pathlib import Path

from fusedet.common.atomic import remove_parts

_NAME = re.compile(r"\d{20}\.log")


def read_old_queue(folder: Path) -> list[str]:
    """Texts that wait in a queue of version 0.1, oldest first; broken records are left out."""
    taken = _read_taken(folder)
    texts = []
    for path in _segments(folder):
        for number, line in enumerate(path.read_bytes().split(b"\n"), int(path.stem)):
            code, _, data = line.partition(b" ")
            if number > taken and code == b"%08x" % zlib.crc32(data) and data.isascii():
                texts.append(data.decode("ascii"))
    return texts


def remove_old_queue(folder: Path) -> None:
    """Removes the files of a queue of version 0.1."""
    for path in (*_segments(folder), folder / "taken", folder / "lock"):
        path.unlink(missing_ok=True)
    remove_parts(folder)


def _segments(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def _read_taken(folder: Path) -> int:
    try:
        text = (folder / "taken").read_text(encoding="ascii")
        return int(text) if text.endswith("\n") else 0
    except (FileNotFoundError, ValueError):  # ValueError: a power cut spoilt it
        return 0
