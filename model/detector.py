"""The whole network."""

from functools import partial

from torch import Tensor, nn

from fusedet.model.activations import activation_gain
from fusedet.model.backbone import Backbone
from fusedet.model.blocks import init_weights
from fusedet.model.config import ModelConfig
from fusedet.model.head import DetectionHead, Predictions
from fusedet.model.neck import Neck

#: Strides of the prediction maps.
STRIDES = (8, 16, 32)
#: Images come as bytes; the network is trained on 0..1.
PIXEL_SCALE = 1 / 255


class DetectorNet(nn.Module):
    """Backbone, neck and head.

    Args:
        config: ``config.classes`` must be set.
        detach_one_to_one: see :class:`fusedet.model.head.DetectionHead`; a matter of training alone.

    Attributes:
        config: what it was built from.
    """

    def __init__(self, config: ModelConfig, *, detach_one_to_one: bool = False) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.neck = Neck(self.backbone.out_channels, config)
        self.head = DetectionHead(config.neck.channels, len(STRIDES), config, detach_one_to_one=detach_one_to_one)
        self.apply(partial(init_weights, gain=activation_gain(config.activation)))
        self.head.init_predictors()

    def features(self, images: Tensor) -> list[Tensor]:
        """The neck's maps of ``[B, 3, H, W]`` BGR planes in 0..1."""
        maps: list[Tensor] = self.neck(self.backbone(images))
        return maps

    def forward(self, images: Tensor) -> Predictions:
        """Raw predictions of both branches.

        Args:
            images: ``[B, 3, H, W]`` BGR planes in 0..255, H and W multiples of 32.
        """
        predictions: Predictions = self.head(self.features(images * PIXEL_SCALE))
        return predictions


def build_detector(config: ModelConfig, *, detach_one_to_one: bool = False) -> DetectorNet:
    """A network with fresh weights.

    Args:
        config: ``config.classes`` must be set.
        detach_one_to_one: the one-to-one branch trains its own layers only (``loss.detach_one_to_one``).

    Raises:
        ValueError: the number of classes is not known.
    """
    return DetectorNet(config, detach_one_to_one=detach_one_to_one)
