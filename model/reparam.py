"""Folding: what is summed in training, and BatchNorm, become one convolution each."""

import copy

from torch import Tensor, nn

from fusedet.model.blocks import ConvNormAct
from fusedet.model.detector import DetectorNet


def fold(net: DetectorNet) -> DetectorNet:
    """A copy of ``net`` for inference: every :class:`ConvNormAct` is one convolution and its activation.

    The results agree with ``net.eval()`` up to rounding. The copy cannot be trained further as it was.
    """
    folded = copy.deepcopy(net).eval()
    for parent in list(folded.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ConvNormAct):
                setattr(parent, name, nn.Sequential(_fold_layer(child), child.act))
    return folded.requires_grad_(False)


def scale_input(net: DetectorNet, factor: float, *, flip_channels: bool = False) -> None:
    """Makes a folded network take inputs that are ``1 / factor`` times those it was trained on, in place.

    Scaling the stem's weights is exact, borders included, because zero padding stays zero.

    Args:
        net: a folded network.
        factor: what the input would have to be multiplied by.
        flip_channels: the input's channels come in reverse order: RGB instead of BGR.
    """
    stem = net.backbone.get_submodule("stem.0")
    assert isinstance(stem, nn.Conv2d)
    weight = stem.weight * factor
    stem.weight = nn.Parameter(weight.flip(1) if flip_channels else weight, requires_grad=False)


def _fold_layer(layer: ConvNormAct) -> nn.Conv2d:
    conv = layer.conv
    weight, bias = _fold_norm(layer.kernel(), layer.norm)
    folded = copy.deepcopy(conv)
    folded.weight, folded.bias = nn.Parameter(weight.float()), nn.Parameter(bias.float())
    return folded


def _fold_norm(weight: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a bias-free convolution followed by BatchNorm; in double, so that folding loses nothing."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = norm.bias.double() - norm.running_mean.double() * scale
    return weight.detach().double() * scale[:, None, None, None].detach(), bias.detach()
