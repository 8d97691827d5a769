"""The unit of a convolution, its norm and its activation."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from fusedet.model.blocks import ConvNormAct, LayerStyle

STYLE = LayerStyle("leaky_relu", 0.1, reparam=True)


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("batch", [2, 16])
def test_a_point_kernel_trains_as_torchs_own_does(batch: int) -> None:
    torch.manual_seed(0)
    layer = ConvNormAct(16, 24, style=STYLE).to(memory_format=torch.channels_last)
    plain = nn.Conv2d(16, 24, 1, bias=False)
    plain.load_state_dict(layer.conv.state_dict())
    images = torch.randn(batch, 16, 20, 20)
    inputs = [images.clone().to(memory_format=torch.channels_last).requires_grad_(), images.requires_grad_()]
    results = [layer(inputs[0]), nn.functional.leaky_relu(nn.BatchNorm2d(24)(plain(inputs[1])), 0.1)]
    torch.testing.assert_close(results[0], results[1])
    wanted = torch.randn(results[0].shape)
    for result in results:
        (result * wanted).sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(layer.conv.weight.grad, plain.weight.grad, atol=1e-3, rtol=1e-4)
