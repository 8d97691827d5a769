"""The building blocks: a convolution with its BatchNorm and activation, and the residual blocks made of it.

All of them obey the layout rule (``docs/architecture.md``), which keeps the exported network inside ONNX Runtime's
blocked layout, where an activation and an addition cost nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusedet.model.activations import build_activation
from fusedet.model.config import CHANNEL_BLOCK, ActivationName, ModelConfig

#: Dilation of 1x1 kernels in training on a CPU. It changes nothing, a single point has no holes; but without it torch
#: leaves batches of less than 16 on one thread to a matrix product that takes two to four times as long as oneDNN.
_FASTER_POINT = 2


@dataclass(frozen=True)
class LayerStyle:
    """What all layers of a network share."""

    activation: ActivationName
    negative_slope: float
    reparam: bool

    @classmethod
    def of(cls, config: ModelConfig) -> "LayerStyle":
        """The style that a model config asks for."""
        return cls(config.activation, config.negative_slope, config.reparam)


def round_channels(channels: float) -> int:
    """The nearest positive multiple of the channel block."""
    return max(CHANNEL_BLOCK, round(channels / CHANNEL_BLOCK) * CHANNEL_BLOCK)


class ConvNormAct(nn.Module):
    """Convolution, BatchNorm and activation: the unit that everything is made from.

    With ``reparam`` a kernel larger than 1x1 is the sum of itself and a 1x1 kernel at its centre, which starts as the
    identity where shapes allow: layers begin by handing on what they get. The kernels are summed, not what they give
    (RepVGG: Ding et al., 2021, has a BatchNorm in each branch): one convolution and one BatchNorm take half the time.
    :func:`fusedet.model.reparam.fold` leaves one convolution.

    Args:
        in_channels, out_channels: channel counts.
        kernel: side of the square kernel; the padding keeps the size.
        stride: 1 or 2.
        groups: 1, or ``in_channels`` for a depthwise convolution.
        style: activation and kernels of the network.
        linear: no activation behind it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        style: LayerStyle,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
        # Not on the image's three channels: a single pixel of an image says little.
        centred = style.reparam and kernel > 1 and in_channels >= CHANNEL_BLOCK
        self.centre = nn.Parameter(torch.zeros(out_channels, in_channels // groups, 1, 1)) if centred else None
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = nn.Identity() if linear else build_activation(style.activation, style.negative_slope)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[B, in_channels, H, W]`` to ``[B, out_channels, H / stride, W / stride]``."""
        conv = self.conv
        dilation = _FASTER_POINT if self.training and conv.kernel_size == (1, 1) and x.is_cpu else 1
        y = functional.conv2d(x, self.kernel(), None, conv.stride, conv.padding, dilation, conv.groups)
        activated: Tensor = self.act(self.norm(y))
        return activated

    def kernel(self) -> Tensor:
        """The whole kernel, ``[out_channels, in_channels / groups, kernel, kernel]``."""
        if self.centre is None:
            return self.conv.weight
        return self.conv.weight + functional.pad(self.centre, [self.conv.kernel_size[0] // 2] * 4)

    @torch.no_grad()
    def init_centre(self, gain: float) -> None:
        """He initialisation by fan-out, and the identity where input and output have the same shape."""
        if self.centre is None:
            return
        outputs, inputs = self.centre.shape[:2]
        if inputs == 1:
            nn.init.ones_(self.centre)
            return
        nn.init.normal_(self.centre, 0.0, gain / outputs**0.5)
        if outputs == inputs and self.conv.stride[0] == 1:
            self.centre.add_(torch.eye(outputs)[..., None, None])


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise kernel and linear 1x1 projection, added to the input (Sandler et al., 2018)."""

    def __init__(self, channels: int, kernel: int, expand: float, *, style: LayerStyle) -> None:
        super().__init__()
        inner = round_channels(channels * expand)
        self.expand = ConvNormAct(channels, inner, style=style)
        self.depthwise = ConvNormAct(inner, inner, kernel, groups=inner, style=style)
        self.project = ConvNormAct(inner, channels, style=style, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[B, channels, H, W]`` to the same shape."""
        y: Tensor = x + self.project(self.depthwise(self.expand(x)))
        return y


class FusedInverted(nn.Module):
    """Dense expansion and linear 1x1 projection, added to the input (EfficientNetV2: Tan and Le, 2021).

    On the wide, shallow maps of the first stages a dense kernel uses the CPU's vector units better than a depthwise
    one, which waits for memory there.
    """

    def __init__(self, channels: int, kernel: int, expand: float, *, style: LayerStyle) -> None:
        super().__init__()
        inner = round_channels(channels * expand)
        self.expand = ConvNormAct(channels, inner, kernel, style=style)
        self.project = ConvNormAct(inner, channels, style=style, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[B, channels, H, W]`` to the same shape."""
        y: Tensor = x + self.project(self.expand(x))
        return y


class DepthwiseSeparable(nn.Module):
    """Depthwise kernel and 1x1 convolution, each with its activation (MobileNet: Howard et al., 2017).

    ``linear`` leaves out the second activation, where a sum follows; ``residual`` is that sum with the block's input.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        *,
        style: LayerStyle,
        linear: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.depthwise = ConvNormAct(in_channels, in_channels, kernel, stride, in_channels, style=style)
        self.pointwise = ConvNormAct(in_channels, out_channels, style=style, linear=linear or residual)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[B, in_channels, H, W]`` to ``[B, out_channels, H / stride, W / stride]``."""
        y: Tensor = self.pointwise(self.depthwise(x))
        return x + y if self.residual else y


def init_weights(module: nn.Module, gain: float) -> None:
    """He initialisation by fan-out (He et al., 2015), for ``Module.apply``; ``gain`` is of :func:`activation_gain`."""
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, 0.0, gain / fan_out**0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, ConvNormAct):
        module.init_centre(gain)
    elif isinstance(module, nn.BatchNorm2d):
        torch.nn.init.ones_(module.weight)
        torch.nn.init.zeros_(module.bias)
