"""The size that a step trains at: images that grow with the training, and multi-scale."""

import random

from torch import Tensor
from torch.nn import functional

from fusedet.model.detector import STRIDES
from fusedet.train.config import AugmentConfig

#: Part of the training after which images that grow (``augment.grow_from``) have their full size.
GROWN_AT = 0.75


def side_factor(config: AugmentConfig, done: float, step: str) -> float:
    """Input side of a step over the config's, after the part ``done`` (0..1) of the training.

    ``step`` names the step in this training: a repeated run draws the same factor for it.
    """
    grown = config.grow_from + (1 - config.grow_from) * min(done / GROWN_AT, 1.0)
    return grown * random.Random(step).uniform(1 - config.multi_scale, 1 + config.multi_scale)


def rescale(images: Tensor, boxes: Tensor, factor: float) -> tuple[Tensor, Tensor]:
    """Images ``[B, 3, H, W]`` and their boxes ``[B, N, 4]`` (xyxy in pixels) with sides times ``factor``.

    Sides are rounded to what the deepest stride divides.
    """
    height, width = images.shape[2:]
    deepest = max(STRIDES)
    size = [max(deepest, round(side * factor / deepest) * deepest) for side in (height, width)]
    if size == [height, width]:
        return images, boxes
    resized = functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
    scale = boxes.new_tensor([size[1] / width, size[0] / height]).repeat(2)
    return resized, boxes * scale
