"""Checksums of files."""

import hashlib
from pathlib import Path


def sha256(path: Path) -> str:
    """A file's SHA-256 in hexadecimal, as ``sha256sum`` prints it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
