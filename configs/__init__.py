"""The presets, the reader of the YAML that users write, and what every package needs: the error, and whole files.

This package is the leaf that every other one may import: it imports nothing of fusedet but itself. The names here need
the standard library only; reading a config (:mod:`fusedet.configs.loader`) needs PyYAML, and checking it
(:mod:`fusedet.configs.validate`) pydantic.
"""

from pathlib import Path

from fusedet.common.errors import InputError

__all__ = ["InputError", "preset_names", "preset_path"]

_FOLDER = Path(__file__).parent


def preset_names() -> list[str]:
    """Names of the presets that ship with fusedet, for example ``nano``."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def preset_path(name: str) -> Path:
    """Path of the preset called ``name``.

    Raises:
        InputError: no preset has that name.
    """
    path = _FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"no preset is called {name!r}; the presets are {', '.join(preset_names())}")
    return path
