"""Folders that results are written into."""

import re
from datetime import datetime, timezone
from pathlib import Path

from fusedet.common.errors import InputError


def new_folder(wanted: Path) -> Path:
    """Makes the folder ``wanted``, or the first free of ``wanted-2``, ``wanted-3`` and so on, and returns its path."""
    number = 1
    while True:
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def make_folder(folder: Path) -> None:
    """Makes a folder that may exist; that it cannot be made is an ``InputError``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: expected a folder that can be made, but: {error.strerror}") from error


def safe_name(text: str) -> str:
    """``text`` as a part of a file's name on every system: other characters than letters and digits become ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)[:64] or "-"


def time_stamp(seconds: float) -> str:
    """Seconds since 1970 as ``20251122T102030.250Z``, in UTC: sorts by time, and is a file's name on every system."""
    at = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z"
