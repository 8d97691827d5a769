"""Checkpoints: tensors and a flat, versioned description; never a pickled module.

A checkpoint file holds a dict with three entries:

* ``format``: :data:`FORMAT`;
* ``meta``: what the file says of itself, plain values only: ``names``, ``model`` (a :class:`ModelConfig` as a dict),
  ``epoch``, ``metrics``, ``data``, ``fusedet_version``, and what the trainer adds;
* ``state``: named state dicts: ``ema`` (the weights to use), and in ``last.pt`` also ``model``, ``optimizer``, ...
"""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from fusedet.common.atomic import whole_file
from fusedet.common.errors import InputError
from fusedet.model.config import ModelConfig
from fusedet.model.detector import DetectorNet, build_detector

FORMAT = "fusedet-checkpoint-1"
_OF_OTHERS = "; the network of another program runs as the ONNX file that the program exports"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory: see the head of this file."""

    meta: dict[str, Any]
    state: dict[str, Any]


def save_checkpoint(path: Path, state: dict[str, Any], meta: dict[str, Any]) -> None:
    """Writes a checkpoint so that ``path`` holds either the old file or the whole new one, whatever happens.

    Raises:
        OSError: it cannot be written, as on a full disk; the error names ``path``.
    """
    content = io.BytesIO()  # torch makes an error of its own of what the system says of a file
    torch.save({"format": FORMAT, "meta": meta, "state": state}, content)
    with whole_file(path) as part:
        part.write_bytes(content.getbuffer())


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint onto the CPU. Nothing in the file is executed.

    Raises:
        InputError: there is no such file, it is damaged, or another program wrote it.
    """
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what reading foreign bytes ends in has no common base class
        raise InputError(f"{path}: not a fusedet checkpoint, or a damaged one{_OF_OTHERS}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not a fusedet checkpoint: its format is not {FORMAT}{_OF_OTHERS}")
    meta, state = content.get("meta"), content.get("state")
    if not isinstance(meta, dict) or not isinstance(state, dict) or not _is_state_dict(state.get("ema")):
        raise InputError(f"{path}: a damaged checkpoint: it must hold a description and averaged weights")
    return Checkpoint(meta, state)


def load_detector(path: Path) -> tuple[DetectorNet, dict[str, Any]]:
    """The network of a checkpoint, with the averaged weights, in eval mode, and the checkpoint's description.

    Raises:
        InputError: see :func:`load_checkpoint`; or what the file holds does not fit together.
    """
    checkpoint = load_checkpoint(path)
    meta = checkpoint.meta
    try:
        config = ModelConfig.model_validate(meta.get("model"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(f"{step!s:.60}" for step in ("model", *first["loc"]))
        raise InputError(f"{path}: describes a network that cannot be built: {key}: {first['msg']}") from error
    names = meta.get("names")
    if not isinstance(names, list) or len(names) != config.classes or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: needs the names of its {config.classes} classes, but has {names!r:.80}")
    net = build_detector(config)
    try:
        net.load_state_dict(checkpoint.state["ema"])
    except RuntimeError as error:
        raise InputError(f"{path}: its weights are not those of the network that it describes") from error
    for name, tensor in net.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: its weights are damaged: {name} holds numbers that are NaN or infinite")
    return net.eval(), meta


def _is_state_dict(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(tensor, Tensor) for tensor in value.values())
