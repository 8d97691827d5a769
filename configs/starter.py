"""Starter weights: networks that have learned everyday objects, and ship with fusedet to begin a training from.

They lie in the folder ``weights`` beside the presets: ``NAME.pt`` is the checkpoint of the preset ``NAME``,
``NAME.fused.onnx`` the same network exported, which finds objects as it is, and ``models.json`` what was measured of
them. Standard library only, as a board needs it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from fusedet.common.errors import InputError

_FOLDER = Path(__file__).parent / "weights"
_CHECKPOINT, _MODEL = ".pt", ".fused.onnx"
#: What was measured of the exported files, beside them: a list of objects with the fields of :class:`StarterModel`.
FIGURES = "models.json"


@dataclass(frozen=True)
class StarterModel:
    """What was measured of an exported network.

    AP is AP50-95 on photographs of COCO's val2017, in 0..1, with NMS; ``threshold`` is the score threshold of the
    best F1; ``ms`` is of one image, ``(height, width)`` in pixels, on one thread of ``processor``, without reading
    and NMS.
    """

    name: str
    classes: int
    input_size: tuple[int, int]
    ap: float
    ap50: float
    ap_person: float
    threshold: float
    parameters: int
    ms: float
    processor: str


def starter_models() -> list[StarterModel]:
    """What ships, the fastest first."""
    figures = [StarterModel(**one) for one in json.loads((_FOLDER / FIGURES).read_text(encoding="utf-8"))]
    return sorted(figures, key=lambda model: model.ms)


def available() -> list[str]:
    """Names of the presets that have starter weights."""
    return _names(_CHECKPOINT)


def starter_checkpoint(name: str) -> Path:
    """The checkpoint of the preset ``name``, to train from; InputError where it has no starter weights."""
    return _file(name, _CHECKPOINT)


def starter_model(name: str) -> Path:
    """The exported, fused network of the preset ``name``, to run; InputError where it has no starter weights."""
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
