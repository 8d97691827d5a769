"""Starter weights: networks that have learned everyday objects, and ship with fusedet to begin a training from.

They lie in the folder ``weights`` beside the presets: ``NAME.pt`` is the checkpoint of the preset ``NAME``, and
``NAME.fused.onnx`` the same network exported, which finds objects as it is. Standard library only, as a board needs it.
"""

from pathlib import Path

from fusedet.common.errors import InputError

_FOLDER = Path(__file__).parent / "weights"
_CHECKPOINT, _MODEL = ".pt", ".fused.onnx"


def available() -> list[str]:
    """Names of the presets that have starter weights."""
    return _names(_CHECKPOINT)


def starter_checkpoint(name: str) -> Path:
    """The checkpoint of the preset ``name``, to train from.

    Raises:
        InputError: the preset has no starter weights; the message says which have.
    """
    return _file(name, _CHECKPOINT)


def starter_model(name: str) -> Path:
    """The exported, fused network of the preset ``name``, to run.

    Raises:
        InputError: the preset has no starter weights; the message says which have.
    """
    return _file(name, _MODEL)


def _names(suffix: str) -> list[str]:
    return sorted(path.name.removesuffix(suffix) for path in _FOLDER.glob(f"*{suffix}"))


def _file(name: str, suffix: str) -> Path:
    names = _names(suffix)
    if name not in names:
        raise InputError(
            f"{name}: this preset has no starter weights; those that have: {', '.join(names) or 'none yet'}"
        )
    return _FOLDER / f"{name}{suffix}"
