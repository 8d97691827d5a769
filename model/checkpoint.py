"""Checkpoints: tensors and a flat, versioned description; never a pickled module.

A checkpoint file holds a dict with three entries:

* ``format``: :data:`FORMAT`;
* ``meta``: what the file says of itself, plain values only: ``names``, ``model`` (a :class:`ModelConfig` as a dict),
  ``epoch``, ``metrics``, ``data``, ``fusedet_version``, and what the trainer adds;
* ``state``: named state dicts: ``ema`` (the weights to use), and in ``last.pt`` also ``model``, ``optimizer``, ...
"""

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fusedet.configs.errors import InputError
from fusedet.model.config import ModelConfig
from fusedet.model.detector import DetectorNet, build_detector

__all__ = ["FORMAT", "Checkpoint", "load_checkpoint", "load_detector", "save_checkpoint"]

FORMAT = "fusedet-checkpoint-1"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory: see the head of this file."""

    meta: dict[str, Any]
    state: dict[str, Any]


def save_checkpoint(path: Path, state: dict[str, Any], meta: dict[str, Any]) -> None:
    """Writes a checkpoint so that ``path`` holds either the old file or the whole new one, whatever happens."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        torch.save({"format": FORMAT, "meta": meta, "state": state}, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint onto the CPU. Nothing in the file is executed.

    Raises:
        InputError: there is no such file, it is damaged, or another program wrote it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise InputError(f"{path}: not a fusedet checkpoint, or a damaged one") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not a fusedet checkpoint: its format is not {FORMAT}")
    return Checkpoint(content["meta"], content["state"])


def load_detector(path: Path) -> tuple[DetectorNet, dict[str, Any]]:
    """The network of a checkpoint, with the averaged weights, in eval mode, and the checkpoint's description.

    Raises:
        InputError: see :func:`load_checkpoint`.
    """
    checkpoint = load_checkpoint(path)
    net = build_detector(ModelConfig.model_validate(checkpoint.meta["model"]))
    net.load_state_dict(checkpoint.state["ema"])
    return net.eval(), checkpoint.meta
