import pytest
import torch

from fusedet.model import DetectorNet, ModelConfig, build_detector


def tiny_config(**changes: object) -> ModelConfig:
    """A network of the presets' shape, small enough to build and run in milliseconds."""
    settings: dict[str, object] = {
        "input_size": 64,
        "classes": 3,
        "stages": [{"channels": 16, "block": "fused"}, *({"channels": 16} for _ in range(3))],
        "neck": {"channels": 16},
        "head": {"channels": 16},
    }
    return ModelConfig.model_validate(settings | changes)


def used(net: DetectorNet) -> DetectorNet:
    """The network with scales, shifts and statistics as a trained one has: none at its neutral start."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
            module.momentum = 0.5
    with torch.no_grad():
        for _ in range(5):
            net.train()(torch.rand(4, 3, *net.config.input_size, generator=generator) * 255)
    return net.eval()


@pytest.fixture
def net() -> DetectorNet:
    torch.manual_seed(0)
    return used(build_detector(tiny_config()))
