"""Folding: training branches and BatchNorm become one convolution each."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusedet.model.blocks import ConvNormAct
from fusedet.model.detector import DetectorNet

__all__ = ["fold", "scale_input"]


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
    conv, norm = _parts(layer.conv)
    side, stride = conv.kernel_size[0], conv.stride[0]
    weight, bias = _fold_norm(conv.weight, norm)
    if layer.pointwise is not None:
        point, point_norm = _parts(layer.pointwise)
        point_weight, point_bias = _fold_norm(point.weight, point_norm)
        weight, bias = weight + _centre(point_weight, side), bias + point_bias
    if layer.identity is not None:
        same_weight, same_bias = _fold_norm(_identity_kernel(conv), layer.identity)
        weight, bias = weight + _centre(same_weight, side), bias + same_bias
    channels = conv.in_channels, conv.out_channels
    folded = nn.Conv2d(*channels, side, stride, side // 2, groups=conv.groups, device=weight.device)
    folded.weight.data, folded.bias.data = weight.float(), bias.float()  # type: ignore[union-attr]
    return folded


def _parts(branch: nn.Sequential) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    conv, norm = branch
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return conv, norm


def _fold_norm(weight: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a bias-free convolution followed by BatchNorm; in double, so that folding loses nothing."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = norm.bias.double() - norm.running_mean.double() * scale
    return weight.detach().double() * scale[:, None, None, None].detach(), bias.detach()


def _centre(weight: Tensor, side: int) -> Tensor:
    """A 1x1 kernel as the centre of a ``side`` x ``side`` one."""
    return functional.pad(weight, [side // 2] * 4)


def _identity_kernel(conv: nn.Conv2d) -> Tensor:
    """The 1x1 kernel that copies its input, in the grouping of ``conv``."""
    per_group = conv.in_channels // conv.groups
    kernel = torch.zeros(conv.out_channels, per_group, 1, 1, device=conv.weight.device)
    index = torch.arange(conv.out_channels)
    kernel[index, index % per_group] = 1.0
    return kernel
