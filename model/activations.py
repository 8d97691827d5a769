"""The activations a network can be built with."""

from collections.abc import Callable

from torch import nn

from fusedet.model.config import ActivationName

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "prelu": lambda: nn.PReLU(init=0.1),
    "silu": lambda: nn.SiLU(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "elu": lambda: nn.ELU(inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def build_activation(name: ActivationName, negative_slope: float) -> nn.Module:
    """A new activation layer; ``negative_slope`` is that of ``leaky_relu`` below zero (Maas et al., 2013)."""
    if name == "leaky_relu":
        return nn.LeakyReLU(negative_slope, inplace=True)
    return _ACTIVATIONS[name]()


def activation_gain(name: ActivationName) -> float:
    """What the standard deviation of fresh weights is multiplied by (``torch.nn.init.calculate_gain``).

    All that are near the identity above zero take ReLU's, sqrt(2) (He et al., 2015): their own would differ by a few
    percent, which the BatchNorm behind each convolution divides out again.
    """
    return nn.init.calculate_gain(name if name in ("sigmoid", "tanh") else "relu")
