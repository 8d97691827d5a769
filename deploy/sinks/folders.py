"""Folders that results are written into."""

from pathlib import Path

__all__ = ["new_folder"]


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
