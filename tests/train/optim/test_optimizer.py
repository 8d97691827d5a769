import pytest
from torch import nn

from fusedet.train.config import OptimConfig
from fusedet.train.optim.optimizer import (
    build_optimizer,
    learning_rate_factor,
    resolve_optim_defaults,
    set_learning_rate,
)


@pytest.mark.parametrize(
    ("schedule", "epoch", "expected"),
    [
        ("cosine", 0.0, 1e-3),
        ("cosine", 1.0, 0.5),
        ("cosine", 2.0, 1.0),
        ("cosine", 6.0, 0.55),
        ("cosine", 10.0, 0.1),
        ("linear", 6.0, 0.55),
        ("linear", 10.0, 0.1),
        ("constant", 9.0, 1.0),
    ],
)
def test_schedule_by_hand(schedule, epoch, expected):
    config = OptimConfig(schedule=schedule, final_lr=0.1, warmup_epochs=2)
    assert learning_rate_factor(epoch, 10, config) == pytest.approx(expected)


def test_a_short_training_warms_up_for_half_of_it_at_most():
    assert learning_rate_factor(1.0, 2, OptimConfig(warmup_epochs=5)) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["muon", "adamw", "sgd"])
def test_only_kernels_decay(name):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimizer = build_optimizer(net, OptimConfig(name=name, lr=0.1, weight_decay=0.1))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert decay == {id(net[0].weight): 0.1, id(net[0].bias): 0, id(net[1].weight): 0, id(net[1].bias): 0}
    set_learning_rate(optimizer, 0.5)
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}


@pytest.mark.parametrize(
    ("given", "lr", "weight_decay"),
    [
        ({}, 0.02, 0.2),
        ({"name": "muon"}, 0.02, 0.2),
        ({"name": "adamw"}, 0.004, 0.05),
        ({"name": "sgd"}, 0.01, 0.0005),
        ({"name": "sgd", "weight_decay": 0}, 0.01, 0),
    ],
)
def test_each_optimiser_has_its_own_defaults(given, lr, weight_decay):
    scratch, tuned = (resolve_optim_defaults(OptimConfig(**given), fine_tuning) for fine_tuning in (False, True))
    assert (scratch.lr, scratch.weight_decay) == (lr, weight_decay)
    assert (tuned.lr, tuned.weight_decay) == (pytest.approx(lr / 10), weight_decay)


def test_large_sets_want_less():
    assert resolve_optim_defaults(OptimConfig(), large_set=True).model_dump(include={"lr", "weight_decay"}) == {
        "lr": 0.006,
        "weight_decay": 0.05,
    }
    assert resolve_optim_defaults(OptimConfig(name="adamw"), large_set=True) == resolve_optim_defaults(
        OptimConfig(name="adamw")
    )


def test_a_given_learning_rate_stays():
    assert resolve_optim_defaults(OptimConfig(lr=0.1), fine_tuning=True).lr == 0.1
