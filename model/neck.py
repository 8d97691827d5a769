"""The neck: mixes the maps of strides 8, 16 and 32 top-down and bottom-up (PANet: Liu et al., 2018)."""

from torch import Tensor, nn
from torch.nn import functional

from fusedet.model.blocks import ConvNormAct, DepthwiseSeparable, LayerStyle
from fusedet.model.config import ModelConfig, NeckConfig


class Neck(nn.Module):
    """Path aggregation by sums.

    A 1x1 convolution of two concatenated maps is the sum of two 1x1 convolutions, and a 1x1 convolution commutes with
    a nearest-neighbour enlargement. So the maps are summed instead of concatenated: the deeper one is convolved
    before it is enlarged, at a quarter of the cost, and ONNX Runtime folds the sum into the other one's convolution.
    """

    def __init__(self, in_channels: list[int], config: ModelConfig) -> None:
        super().__init__()
        style = LayerStyle.of(config)
        neck = config.neck
        self.lateral = nn.ModuleList(
            ConvNormAct(channels, neck.channels, style=style, linear=True) for channels in in_channels
        )
        self.top_down = nn.ModuleList(_mix(neck, style) for _ in in_channels)
        self.shrink = nn.ModuleList(
            DepthwiseSeparable(neck.channels, neck.channels, neck.kernel, 2, style=style, linear=True)
            for _ in in_channels[1:]
        )
        self.bottom_up = nn.ModuleList(_mix(neck, style) for _ in in_channels[1:])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of strides 8, 16 and 32 to as many maps of ``neck.channels`` channels, sizes unchanged."""
        mixed = [lateral(x) for lateral, x in zip(self.lateral, maps, strict=True)]
        mixed[-1] = self.top_down[-1](mixed[-1])
        for level in reversed(range(len(mixed) - 1)):
            larger = functional.interpolate(mixed[level + 1], scale_factor=2.0, mode="nearest")
            mixed[level] = self.top_down[level](mixed[level] + larger)
        for level, (shrink, mix) in enumerate(zip(self.shrink, self.bottom_up, strict=True)):
            mixed[level + 1] = mix(shrink(mixed[level]) + mixed[level + 1])
        return mixed


def _mix(neck: NeckConfig, style: LayerStyle) -> nn.Sequential:
    blocks = (
        DepthwiseSeparable(neck.channels, neck.channels, neck.kernel, style=style, residual=True)
        for _ in range(neck.depth)
    )
    return nn.Sequential(*blocks)
