"""How large a network is: parameters and multiply-accumulates."""

import torch
from torch import Tensor, nn

from fusedet.model.detector import DetectorNet
from fusedet.model.inference import InferenceGraph


def count_parameters(net: DetectorNet) -> int:
    """Parameters of the exported network: folded, one branch of the head."""
    return sum(p.numel() for p in InferenceGraph(net).parameters())


def count_macs(net: DetectorNet, size_hw: tuple[int, int] | None = None) -> int:
    """Multiply-accumulates of the convolutions for one image of ``size_hw``, exported as above."""
    size = size_hw or net.config.input_size
    graph = InferenceGraph(net, input_size=size)
    total = 0

    def add(conv: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(conv, nn.Conv2d)
        total += output.numel() * conv.weight[0].numel()

    for module in graph.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(add)
    with torch.no_grad():
        graph(torch.zeros(1, *size, 3, dtype=torch.uint8, device=graph.points.device))
    return total
