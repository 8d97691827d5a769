"""Optimiser and learning rate."""

import math

import torch
from torch import nn

from fusedet.train.config import OptimConfig
from fusedet.train.optim.muon import Muon

#: Peak learning rate and weight decay of each optimiser.
_DEFAULTS = {"muon": (0.02, 0.2), "adamw": (0.004, 0.05), "sgd": (0.01, 0.0005)}
#: The same where an epoch has many steps: with what small sets want nothing is learned there (docs/recipe.md,
#: "Large sets want less").
_DEFAULTS_OF_LARGE_SETS = {**_DEFAULTS, "muon": (0.006, 0.05)}
#: What was learned before is to be kept: part of the learning rate with which a training from scratch begins.
_FINE_TUNING = 0.1


def resolve_optim_defaults(config: OptimConfig, fine_tuning: bool = False, large_set: bool = False) -> OptimConfig:
    """With the optimiser's own learning rate and weight decay where the config leaves them out.

    They are smaller for ``fine_tuning``, from weights that know something, and for a ``large_set``, whose epochs
    have many steps.
    """
    lr, weight_decay = (_DEFAULTS_OF_LARGE_SETS if large_set else _DEFAULTS)[config.name]
    found = {
        "lr": lr * (_FINE_TUNING if fine_tuning else 1) if config.lr is None else config.lr,
        "weight_decay": weight_decay if config.weight_decay is None else config.weight_decay,
    }
    return config.model_copy(update=found)


def build_optimizer(net: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """SGD, AdamW or Muon, in which only kernels decay: BatchNorm's scales and all biases are left alone.

    Muon takes the kernels that mix channels, except those of the layers that predict, and leaves the others to
    AdamW. Frozen parameters, which ask for no gradient, are left out. ``config`` is that of
    :func:`resolve_optim_defaults`.
    """
    assert config.lr is not None
    assert config.weight_decay is not None
    trained = [p for p in net.parameters() if p.requires_grad]
    kernels = [p for p in trained if p.ndim > 1]
    others = [p for p in trained if p.ndim <= 1]
    groups = [
        {"params": kernels, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if config.name == "muon":
        predicting = {id(module.weight) for module in net.modules() if getattr(module, "bias", None) is not None}
        mixing = [p for p in kernels if p.shape[1] > 1 and id(p) not in predicting]
        groups[0]["params"] = [p for p in kernels if p.shape[1] == 1 or id(p) in predicting]
        groups.append({"params": mixing, "weight_decay": config.weight_decay, "orthogonal": True})
        return Muon(groups, lr=config.lr, betas=(config.momentum, 0.999))
    if config.name == "sgd":
        return torch.optim.SGD(
            groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0, foreach=True
        )
    # Hundreds of small tensors: one call for all of them takes a fifth of the time of one call each.
    return torch.optim.AdamW(groups, lr=config.lr, betas=(config.momentum, 0.999), foreach=True)


def learning_rate_factor(epoch: float, epochs: int, config: OptimConfig) -> float:
    """Learning rate over its peak after ``epoch`` of ``epochs``, with the fraction of the present one."""
    warmup = min(config.warmup_epochs, epochs / 2)
    if epoch < warmup:
        return max(epoch / warmup, 1e-3)
    progress = (epoch - warmup) / max(epochs - warmup, 1e-9)
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "linear":
        return 1 - (1 - config.final_lr) * progress
    return config.final_lr + (1 - config.final_lr) * (1 + math.cos(math.pi * progress)) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Sets the learning rate of all parameter groups."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
