"""What ``fusedet bench --tune`` or ``--all`` found to suit a model on this machine: a small JSON file beside the model.

It names the machine it was measured on. On another machine, or beside a model that has changed since, it is not
believed.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusedet.common.atomic import write_text
from fusedet.common.errors import InputError
from fusedet.common.machine import physical_cores, processor_name
from fusedet.common.plain_json import parse_json
from fusedet.configs.starter import available, starter_model

__all__ = ["Tuned", "read_tuned", "tuned_path", "write_tuned"]

_VERSION = 1
_SUFFIX = ".tuned.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tuned:
    """Settings of a session, see :func:`fusedet.deploy.detector.session.open_session`.

    Attributes:
        threads: at least 1.
        spinning: ONNX Runtime's threads wait actively.
        file: of a bundle, the name of the file that is to run; None: that of every CPU, the only one of a file.
    """

    threads: int
    spinning: bool
    file: str | None = None

    def path(self, model: str | Path) -> Path:
        """What is to be opened for ``model``."""
        return Path(model) if self.file is None else Path(model) / self.file


def tuned_path(model: Path) -> Path:
    """Where it stands: beside the file, the zip or the bundle's folder; of starter weights in the user's cache."""
    model = Path(os.path.abspath(model))  # a bundle may be named "." as well
    if model in [starter_model(name) for name in available()]:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "fusedet" / f"{model.name}{_SUFFIX}"
    return model.with_name(f"{model.name}{_SUFFIX}")


def read_tuned(model: str | Path) -> Tuned | None:
    """What was found for ``model`` on this machine; None where nothing was.

    A damaged file, or one of another machine, is left out, and a line in the log says so.
    """
    try:
        path = tuned_path(Path(model))
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, UnicodeDecodeError) as error:  # RuntimeError: there is no home folder
        _log.warning("left out what was tuned for %s: %s", model, error)
        return None
    try:
        found = parse_json(text)
        if found["version"] != _VERSION:
            raise ValueError(f"version {found['version']}")
        tuned, identity = _checked(found), found["measured_on"]
    except (ValueError, KeyError, TypeError) as error:
        _log.warning("left out %s: damaged (%s); fusedet bench --tune writes it anew", path, error)
        return None
    here = _identity(Path(model))
    other = [
        f"{key} {identity.get(key)!r}, here {value!r}" for key, value in here.items() if identity.get(key) != value
    ]
    if other:
        _log.warning("left out %s: measured on another machine or model (%s)", path, "; ".join(other))
        return None
    return tuned


def write_tuned(model: Path, tuned: Tuned, reason: str) -> Path:
    """Saves a choice, in the place of an older one; returns the file, which is written whole or not at all.

    ``reason`` is one line for people. That the file cannot be written is an ``InputError``.
    """
    content = {
        "version": _VERSION,
        "threads": tuned.threads,
        "spinning": tuned.spinning,
        "file": tuned.file,
        "reason": reason,
        "measured_on": _identity(model),
    }
    path = tuned_path(model)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def _checked(found: Mapping[str, Any]) -> Tuned:
    threads, spinning = found["threads"], found["spinning"]
    if type(threads) is not int or threads < 1 or type(spinning) is not bool or type(found["measured_on"]) is not dict:
        raise ValueError("threads, spinning or measured_on is not what it should be")
    file = found.get("file")
    if file is not None and (not isinstance(file, str) or Path(file).name != file):
        raise ValueError("file is no plain name")
    return Tuned(threads, spinning, file)


def _identity(model: Path) -> dict[str, str | int]:
    """What a choice depends on. Two files of one size are the same network, or take the same time."""
    files = [path for path in model.iterdir() if path.is_file()] if model.is_dir() else [model]
    return {
        "cpu": processor_name(),
        "cores": physical_cores(),
        "onnxruntime": _onnxruntime(),
        "model_bytes": sum(path.stat().st_size for path in files),
    }


def _onnxruntime() -> str:
    """Its version; a board that runs ncnn alone has none."""
    try:
        from onnxruntime import __version__
    except ModuleNotFoundError:
        return ""
    return str(__version__)
