"""What all measurements share as commands: how they end, where they run, how they write."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fusedet.common import atomic
from fusedet.common.errors import InputError
from fusedet.common.machine import processor_name, vector_unit

#: Exit code of what was asked to stop, and saved its state.
INTERRUPTED = 130


def default_data() -> Path:
    """A small set of blood cells, in the folder that the environment variable ``FUSEDET_DATA`` names."""
    return Path(os.environ.get("FUSEDET_DATA", "../shared/data")) / "bccd"


def run_command(name: str, main: Callable[[], int]) -> int:
    """Calls ``main``; bad input and Ctrl-C end it in one line each."""
    try:
        return main()
    except InputError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED


def facts() -> dict[str, str]:
    """Machine and versions, as far as a result depends on them."""
    found = {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "cpu": processor_name(),
        "vector": vector_unit(),
    }
    for package in ("fusedet", "torch", "onnxruntime"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # built from source, for example: the others tell enough
            continue
    commit = _commit()
    return {**found, "commit": commit} if commit else found


def write_text(path: Path, text: str) -> None:
    """Writes ``path`` wholly or not at all, and makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(path, text)


def write_json(path: Path, content: Any) -> None:
    """Writes ``path`` as :func:`write_text` does."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def _commit() -> str:
    """Of the checkout that this file lies in, or nothing."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
