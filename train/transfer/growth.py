"""Growing: weights of a narrower, shallower network in a wider, deeper one that computes the same at first.

Old channels ignore the new ones: the weights between them start at zero. New channels read everything through random
weights, and learn as soon as something reads them. A new residual block starts by adding nothing. So nothing that was
learned is lost (Net2Net: Chen et al., 2016, whose new channels are copies of old ones).
"""

import torch
from torch import Tensor, nn

from fusedet.model.blocks import DepthwiseSeparable, FusedInverted, InvertedResidual
from fusedet.model.config import ModelConfig
from fusedet.model.detector import build_detector

#: Of the random weights that new channels start from: the same network grows each time.
_SEED = 0


def grow(state: dict[str, Tensor], small: ModelConfig, large: ModelConfig) -> dict[str, Tensor] | None:
    """The weights of a network of the config ``small``, in one of the config ``large`` that has the same classes.

    None where nothing has to grow, or where it cannot: the activation or a kernel is another one, a layer has fewer
    channels, or the larger network has layers more that cannot start by doing nothing.
    """
    if (small.activation, small.negative_slope) != (large.activation, large.negative_slope):
        return None
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        net = build_detector(large.model_copy(update={"classes": small.classes}))
    grown = net.state_dict()
    if {name: x.shape for name, x in grown.items()} == {name: x.shape for name, x in state.items()}:
        return None
    if not all(name in grown and _has_room(grown[name], value) for name, value in state.items()):
        return None
    for name, value in state.items():
        _place(grown[name], value)
    new = grown.keys() - state.keys()
    for path, block in net.named_modules():
        last = _last_norm(block)
        if last is not None and not any(name.startswith(path + ".") for name in state):
            nn.init.zeros_(last.weight)
            new = {name for name in new if not name.startswith(path + ".")}
    return None if new else grown


def _has_room(own: Tensor, value: Tensor) -> bool:
    """Whether a tensor has as many channels or more, and a kernel of the same sides."""
    if own.ndim != value.ndim or own.shape[2:] != value.shape[2:]:
        return False
    return all(mine >= theirs for mine, theirs in zip(own.shape, value.shape, strict=True))


@torch.no_grad()
def _place(own: Tensor, value: Tensor) -> None:
    """Puts a tensor into the first channels of a larger one, in place; the old outputs ignore the new inputs."""
    if value.ndim == 0:
        own.copy_(value)
        return
    rows = own[: len(value)]  # a view
    if value.ndim == 1:
        rows.copy_(value)
        return
    rows.zero_()
    rows[:, : value.shape[1]].copy_(value)


def _last_norm(block: nn.Module) -> nn.BatchNorm2d | None:
    """The BatchNorm in front of a residual block's sum; None for anything else."""
    if isinstance(block, InvertedResidual | FusedInverted):
        return block.project.norm
    if isinstance(block, DepthwiseSeparable) and block.residual:
        return block.pointwise.norm
    return None
