"""The presets and starter weights, and which files a user means.

It needs the standard library only; reading a config (:mod:`fusedet.configs.reader.loader`) needs PyYAML, and checking
it (:mod:`fusedet.configs.reader.validate`) pydantic.
"""

from pathlib import Path

from fusedet.common.errors import InputError

__all__ = ["InputError", "preset_names", "preset_path"]

_FOLDER = Path(__file__).parent


def preset_names() -> list[str]:
    """Names of the presets that ship with fusedet, for example ``nano``."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def preset_path(name: str) -> Path:
    """Path of the preset called ``name``; InputError where no preset has that name."""
    path = _FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"no preset is called {name!r}; the presets are {', '.join(preset_names())}")
    return path
