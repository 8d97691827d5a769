"""The whole network."""

from typing import NamedTuple

from torch import Tensor, nn

from fusedet.model.backbone import Backbone
from fusedet.model.blocks import init_weights
from fusedet.model.config import ModelConfig
from fusedet.model.head import BranchOutput, HeadBranch
from fusedet.model.neck import Neck

__all__ = ["PIXEL_SCALE", "STRIDES", "DetectorNet", "Predictions", "build_detector"]

#: Strides of the prediction maps.
STRIDES = (8, 16, 32)
#: Pictures come as bytes; the network is trained on 0..1.
PIXEL_SCALE = 1 / 255


class Predictions(NamedTuple):
    """What the network gives in training."""

    one_to_many: BranchOutput
    one_to_one: BranchOutput


class DetectorNet(nn.Module):
    """Backbone, neck and the two branches of the head.

    Attributes:
        config: what it was built from.
        detach_one_to_one: the one-to-one branch sends no gradient into backbone and neck, so that its single
            positives do not weaken the features (YOLOv10's consistent dual assignment trains it so).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.detach_one_to_one = True
        self.backbone = Backbone(config)
        self.neck = Neck(self.backbone.out_channels, config)
        self.one_to_many = HeadBranch(config.neck.channels, len(STRIDES), config)
        self.apply(init_weights)
        self.one_to_many.init_predictors()
        # Built last and started equal: both branches begin from the same place.
        self.one_to_one = HeadBranch(config.neck.channels, len(STRIDES), config)
        self.one_to_one.load_state_dict(self.one_to_many.state_dict())

    def features(self, images: Tensor) -> list[Tensor]:
        """The neck's maps of ``[B, 3, H, W]`` BGR planes in 0..1."""
        maps: list[Tensor] = self.neck(self.backbone(images))
        return maps

    def forward(self, images: Tensor) -> Predictions:
        """Raw predictions of both branches.

        Args:
            images: ``[B, 3, H, W]`` BGR planes in 0..255, H and W multiples of 32.
        """
        maps = self.features(images * PIXEL_SCALE)
        single = [x.detach() for x in maps] if self.detach_one_to_one else maps
        return Predictions(self.one_to_many(maps), self.one_to_one(single))


def build_detector(config: ModelConfig) -> DetectorNet:
    """A network with fresh weights.

    Args:
        config: ``config.classes`` must be set.

    Raises:
        ValueError: the number of classes is not known.
    """
    return DetectorNet(config)
