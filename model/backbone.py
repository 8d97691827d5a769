"""The backbone: from the image to feature maps at strides 8, 16 and 32."""

from torch import Tensor, nn

from fusedet.model.blocks import ConvNormAct, FusedInverted, InvertedResidual, LayerStyle
from fusedet.model.config import ModelConfig, StageConfig

_BLOCKS = {"inverted": InvertedResidual, "fused": FusedInverted}


class Backbone(nn.Module):
    """A stem at stride 2 and four stages at strides 4, 8, 16 and 32.

    Attributes:
        out_channels: channels of the three maps that it gives.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        style = LayerStyle.of(config)
        self.stem = ConvNormAct(3, config.stem_channels, 3, stride=2, style=style)
        stages = []
        in_channels = config.stem_channels
        for stage in config.stages:
            stages.append(_build_stage(in_channels, stage, style))
            in_channels = stage.channels
        self.stages = nn.ModuleList(stages)
        self.out_channels = [stage.channels for stage in config.stages[1:]]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps ``[B, 3, H, W]`` to maps at strides 8, 16 and 32."""
        x = self.stem(images)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[1:]


def _build_stage(in_channels: int, stage: StageConfig, style: LayerStyle) -> nn.Sequential:
    # A dense 3x3 kernel halves the map: it takes as long as an inverted block would here, and learns more.
    shrink = ConvNormAct(in_channels, stage.channels, 3, stride=2, style=style)
    block = _BLOCKS[stage.block]
    return nn.Sequential(
        shrink, *(block(stage.channels, stage.kernel, stage.expand, style=style) for _ in range(stage.depth))
    )
