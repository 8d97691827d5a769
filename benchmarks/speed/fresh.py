"""Networks that have learned nothing: they take as long as trained ones."""

import torch
from torch import nn

from fusedet.model import DetectorNet, ModelConfig, build_detector


@torch.no_grad()
def fresh_network(config: ModelConfig) -> DetectorNet:
    """The same weights each time, and norms that know the maps which these weights make.

    With the statistics that norms are born with, values grow from layer to layer; in the deepest networks boxes then
    lie thousands of images away, all scores are 1, and an export has nothing to agree about.
    """
    torch.manual_seed(0)
    net = build_detector(config)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    net.train()(255 * torch.rand(2, 3, *config.input_size))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return net.eval()
