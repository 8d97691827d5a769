"""The activations a network can be built with."""

from collections.abc import Callable

from torch import nn

from fusedet.model.config import ActivationName

__all__ = ["build_activation"]

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "prelu": lambda: nn.PReLU(init=0.1),
    "silu": lambda: nn.SiLU(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "elu": lambda: nn.ELU(inplace=True),
}


def build_activation(name: ActivationName, negative_slope: float) -> nn.Module:
    """A new activation layer.

    Args:
        name: one of :data:`fusedet.model.config.ActivationName`.
        negative_slope: slope below zero of ``leaky_relu`` (Maas et al., 2013); the others ignore it.
    """
    if name == "leaky_relu":
        return nn.LeakyReLU(negative_slope, inplace=True)
    return _ACTIVATIONS[name]()
