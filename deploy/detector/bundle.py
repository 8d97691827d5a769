"""A bundle: everything that a board needs of a model, in one folder or zip, with checksums.

``manifest.json`` lists the files with their SHA-256 and says which one to run: the fused file on a CPU, the plain one
elsewhere. A file that was cut off or changed on its way is refused before it runs.
"""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusedet.common.errors import InputError
from fusedet.common.plain_json import parse_json, short

MANIFEST = "manifest.json"
BUNDLE_VERSION = 1
#: No ONNX file is larger; a small zip may hold anything that repeats itself.
_MOST_BYTES = 2 << 30


@dataclass(frozen=True)
class Bundle:
    """An opened folder or zip whose files, name -> contents, are what they were when it was made.

    ``roles`` are ``fused``, ``plain``, ``int8``, ... -> name of the file.
    """

    path: Path
    files: Mapping[str, bytes]
    roles: Mapping[str, str]

    def model(self, role: str) -> tuple[str, bytes]:
        """Name and contents of the model for a role; that there is none is an ``InputError``."""
        if role not in self.roles:
            raise InputError(
                f"{self.path}: the bundle has no {role} model; it has {', '.join(sorted(self.roles)):.200}"
            )
        name = self.roles[role]
        return f"{self.path}/{name}", self.files[name]

    def file(self, name: str) -> bytes:
        """Contents of a model by its name; that there is none is an ``InputError``."""
        if name not in self.roles.values():
            models = ", ".join(sorted(self.roles.values()))
            raise InputError(f"{self.path}/{name}: no such model in the bundle; it has {models:.200}")
        return self.files[name]


def is_bundle(path: Path) -> bool:
    """Whether ``path`` is a folder with a manifest, or a zip file."""
    if os.path.isdir(path):
        return os.path.isfile(path / MANIFEST)
    return path.suffix == ".zip" and os.path.isfile(path)


def open_bundle(path: Path) -> Bundle:
    """Reads a bundle and checks every file in it.

    Raises:
        InputError: a file is missing or is not what the manifest says, or this is no bundle.
    """
    read = _read_folder if path.is_dir() else _read_zip
    manifest = _parse(path, read(path, [MANIFEST])[MANIFEST])
    names = list(manifest["files"])
    files = read(path, names)
    for name in names:
        wanted = manifest["files"][name]["sha256"]
        found = hashlib.sha256(files[name]).hexdigest()
        if found != wanted:
            raise InputError(
                f"{path}: {name} is damaged: its SHA-256 is {found[:12]}..., the manifest says {wanted[:12]}...; "
                "copy the bundle again"
            )
    return Bundle(path, files, manifest["models"])


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    """The manifest, checked as far as it is used."""
    try:
        manifest = parse_json(text)
        version, files, models = manifest["format_version"], manifest["files"], manifest["models"]
        plain_names = all(isinstance(name, str) and Path(name).name == name for name in [*files, *models.values()])
        if not plain_names or not all(isinstance(one["sha256"], str) for one in files.values()):
            raise ValueError("a file has no plain name or no checksum")
        if not set(models.values()) <= set(files):
            raise ValueError("a model is not among the files")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged {MANIFEST}: {error!s:.200}") from error
    if version != BUNDLE_VERSION:
        raise InputError(f"{path}: a bundle of form {short(version)}, this fusedet reads form {BUNDLE_VERSION}")
    return {"files": files, "models": models}


def _read_folder(path: Path, names: list[str]) -> dict[str, bytes]:
    try:
        return {name: (path / name).read_bytes() for name in names}
    except FileNotFoundError as error:
        raise InputError(f"{path}: {Path(str(error.filename)).name} is missing in the bundle") from error


def _read_zip(path: Path, names: list[str]) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            too_large = [name for name in names if archive.getinfo(name).file_size > _MOST_BYTES]
            if too_large:
                raise InputError(f"{path}: {too_large[0]} is larger than any model can be, {_MOST_BYTES >> 30} GiB")
            return {name: archive.read(name) for name in names}
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]:.200}") from error
    except InputError:
        raise
    except Exception as error:  # what reading foreign bytes ends in has no common base class
        raise InputError(f"{path}: a damaged zip file: {error!s:.200}; copy the bundle again") from error
