"""Activations by their formulas, and what fresh weights are multiplied by for each."""

import math
from typing import get_args

import pytest
import torch

from fusedet.model import build_detector
from fusedet.model.activations import activation_gain, build_activation
from fusedet.model.config import ActivationName
from tests.model.conftest import tiny_config

X = torch.tensor([-4.0, -1.0, 0.0, 0.5, 4.0])
FORMULAS = {
    "leaky_relu": torch.where(X < 0, 0.2 * X, X),
    "relu": X.clamp(min=0),
    "prelu": torch.where(X < 0, 0.1 * X, X),
    "silu": X / (1 + (-X).exp()),
    "hardswish": X * (X + 3).clamp(0, 6) / 6,
    "elu": torch.where(X < 0, X.exp() - 1, X),
    "sigmoid": 1 / (1 + (-X).exp()),
    "tanh": (X.exp() - (-X).exp()) / (X.exp() + (-X).exp()),
}


def test_every_activation_has_a_formula() -> None:
    assert FORMULAS.keys() == set(get_args(ActivationName))


@pytest.mark.parametrize("name", get_args(ActivationName))
def test_an_activation_is_its_formula(name: ActivationName) -> None:
    with torch.no_grad():
        torch.testing.assert_close(build_activation(name, negative_slope=0.2)(X.clone()), FORMULAS[name])


@pytest.mark.parametrize("name", get_args(ActivationName))
def test_gains(name: ActivationName) -> None:
    assert activation_gain(name) == pytest.approx({"sigmoid": 1.0, "tanh": 5 / 3}.get(name, math.sqrt(2)))


@pytest.mark.parametrize(("name", "gain"), [("sigmoid", 1.0), ("tanh", 5 / 3), ("relu", math.sqrt(2))])
def test_fresh_weights_have_the_gain_of_their_activation(name: ActivationName, gain: float) -> None:
    torch.manual_seed(0)
    stages = [{"channels": 64, "block": "fused"}, *({"channels": 64} for _ in range(3))]
    halving = build_detector(tiny_config(activation=name, stages=stages)).backbone.stages[1][0]
    fan_out = 64 * 3 * 3
    assert float(halving.conv.weight.detach().std()) == pytest.approx(gain / math.sqrt(fan_out), rel=0.03)
    assert float(halving.centre.detach().std()) == pytest.approx(gain / math.sqrt(64), rel=0.03)
