"""Orthogonal steps, and AdamW for what is no matrix."""

import copy

import pytest
import torch
from torch import nn

from fusedet.train.config import OptimConfig
from fusedet.train.optim.muon import Muon, orthogonalised
from fusedet.train.optim.optimizer import build_optimizer


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 40), (2, 40, 8)])
def test_singular_values_end_near_one_and_vectors_stay(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    # Singular values from 1 down to 0.1, far from alike at first.
    left, values, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = torch.linspace(1, 0.1, values.shape[1])
    result = orthogonalised(left @ torch.diag_embed(values.expand(shape[0], -1)) @ right)
    inner = left.transpose(1, 2) @ result @ right.transpose(1, 2)
    diagonal = torch.diagonal(inner, dim1=1, dim2=2)
    assert diagonal.min() > 0.6
    assert diagonal.max() < 1.3
    assert (inner - torch.diag_embed(diagonal)).abs().max() < 1e-3


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert torch.equal(orthogonalised(torch.zeros(1, 4, 6)), torch.zeros(1, 4, 6))


def test_its_adamw_is_that_of_torch() -> None:
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(5))]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    muon = Muon([{"params": ours, "weight_decay": 0.1}], lr=0.01)
    adamw = torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.1)
    for _ in range(5):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        muon.step()
        adamw.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_the_step_of_a_kernel_has_the_size_of_adamws() -> None:
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.zeros(32, 64, 1, 1))
    muon = Muon([{"params": [kernel], "orthogonal": True}], lr=0.01)
    kernel.grad = torch.randn_like(kernel) * 1e-6  # however small the gradient
    muon.step()
    size = kernel.detach().square().mean().sqrt() / 0.01
    assert 0.1 < size < 0.3


def test_it_goes_on_from_its_state() -> None:
    def steps(muon: Muon, kernel: nn.Parameter, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for _ in range(3):
            kernel.grad = torch.randn(kernel.shape, generator=generator)
            muon.step()

    def build(start: torch.Tensor) -> tuple[Muon, nn.Parameter]:
        kernel = nn.Parameter(start.clone())
        return Muon([{"params": [kernel], "orthogonal": True}], lr=0.01), kernel

    muon, kernel = build(torch.ones(4, 8, 1, 1))
    steps(muon, kernel, 1)
    resumed, copied = build(kernel.detach())
    resumed.load_state_dict(copy.deepcopy(muon.state_dict()))
    steps(muon, kernel, 2)
    steps(resumed, copied, 2)
    assert torch.equal(kernel, copied)


def test_it_takes_the_kernels_that_mix_channels_only() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, bias=False),
        nn.BatchNorm2d(16),
        nn.Conv2d(16, 16, 5, groups=16, bias=False),
        nn.Conv2d(16, 8, 1, bias=False),
        nn.Conv2d(8, 3, 1),
    )
    optimizer = build_optimizer(net, OptimConfig(name="muon", lr=0.02, weight_decay=0.2))
    orthogonal = [p for group in optimizer.param_groups if group["orthogonal"] for p in group["params"]]
    assert [tuple(p.shape) for p in orthogonal] == [(16, 3, 3, 3), (8, 16, 1, 1)]
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(net.parameters()))
