"""The averaged weights that are evaluated, saved and exported."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

_Net = TypeVar("_Net", bound=nn.Module)


class ModelEma(Generic[_Net]):
    """Exponential moving average of a network's weights and statistics (Polyak and Juditsky, 1992).

    The share that is kept at a step grows, ``(1 + steps) / (10 + steps)`` until it reaches ``decay``, so that the
    first random weights are forgotten soon.
    """

    def __init__(self, net: _Net, decay: float) -> None:
        self.net = copy.deepcopy(net)
        self.net.eval().requires_grad_(False)
        self.decay, self.steps = decay, 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Moves the average towards ``net``."""
        self.steps += 1
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        current = net.state_dict()
        pairs = [(average, current[name].detach()) for name, average in self.net.state_dict().items()]
        floats = [(average, now.to(average.dtype)) for average, now in pairs if average.dtype.is_floating_point]
        move = get_ema_multi_avg_fn(keep)  # all tensors in one call
        move([average for average, _ in floats], [now for _, now in floats], self.steps)
        for average, now in pairs:
            if not average.dtype.is_floating_point:
                average.copy_(now)
