"""Growing a network: what it computes stays, and what is new can learn."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from fusedet.configs import InputError
from fusedet.model import build_detector, load_checkpoint
from fusedet.model.config import ModelConfig
from fusedet.model.detector import DetectorNet
from fusedet.train import TrainConfig, train
from fusedet.train.config import load_train_config
from fusedet.train.transfer.finetune import plan_transfer
from fusedet.train.transfer.growth import grow
from tests.train.trainings import changed, save_taught, taught

NAMES = ["blue", "green", "red"]


def preset(name: str) -> ModelConfig:
    return load_train_config(name).model.model_copy(update={"classes": len(NAMES)})


def outputs(net: DetectorNet) -> list[Tensor]:
    torch.manual_seed(1)
    with torch.no_grad():
        many, one = net.eval()(torch.rand(2, 3, 64, 96))
    return [many.logits, many.distances, one.logits]


def loaded(state: dict[str, Tensor], config: ModelConfig) -> DetectorNet:
    net = build_detector(config)
    net.load_state_dict(state)
    return net


@pytest.mark.parametrize(("small", "large"), [("pico", "nano"), ("nano", "small"), ("pico", "small")])
def test_a_grown_preset_computes_the_same(small: str, large: str) -> None:
    net = taught(preset(small))
    state = grow(net.state_dict(), preset(small), preset(large))
    assert state is not None
    for before, after in zip(outputs(net), outputs(loaded(state, preset(large))), strict=True):
        torch.testing.assert_close(after, before, atol=1e-4 * float(before.abs().max()), rtol=0)


def test_all_that_is_new_learns() -> None:
    """After some steps no weight is left that nothing has moved: gradients reach each new channel."""
    config = preset("nano")
    state = grow(taught(preset("pico")).state_dict(), preset("pico"), config)
    assert state is not None
    net = loaded(state, config).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    moved = {name: torch.zeros_like(parameter, dtype=torch.bool) for name, parameter in net.named_parameters()}
    for _ in range(4):
        optimizer.zero_grad()
        many, one = net(torch.rand(2, 3, 64, 64))
        (many.logits.square().mean() + many.distances.square().mean() + one.logits.square().mean()).backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, name
            moved[name] |= parameter.grad != 0
        optimizer.step()
    still = {name: float(1 - reached.float().mean()) for name, reached in moved.items() if not reached.all()}
    assert not still


def test_a_grown_network_grows_alike_each_time() -> None:
    state = taught(preset("pico")).state_dict()
    first, second = (grow(state, preset("pico"), preset("nano")) for _ in range(2))
    assert first is not None
    assert second is not None
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_growing_leaves_the_random_numbers_alone() -> None:
    state = taught(preset("pico")).state_dict()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    grow(state, preset("pico"), preset("nano"))
    assert torch.equal(torch.rand(4), expected)


def other_stages(config: ModelConfig, **values: object) -> ModelConfig:
    stages = [stage.model_copy(update=values) for stage in config.stages]
    return config.model_copy(update={"stages": stages})


#: Why it is not grown -> how the larger network differs.
NO_LARGER_VERSION = {
    "kernels of 5": lambda c: c.model_copy(update={"neck": c.neck.model_copy(update={"kernel": 5})}),
    "dense blocks, not inverted ones": lambda c: other_stages(c, block="fused"),
    "layers of a head, without a sum": lambda c: c.model_copy(update={"head": c.head.model_copy(update={"depth": 2})}),
    "another slope": lambda c: c.model_copy(update={"negative_slope": 0.2}),
    "shallower stages": lambda c: other_stages(c, depth=1),
}


@pytest.mark.parametrize("reason", NO_LARGER_VERSION)
def test_what_is_no_larger_version_is_not_grown(reason: str) -> None:
    large = NO_LARGER_VERSION[reason](preset("nano"))
    assert grow(taught(preset("pico")).state_dict(), preset("pico"), large) is None


def test_what_has_the_same_shapes_is_not_grown() -> None:
    assert grow(taught(preset("pico")).state_dict(), preset("pico"), preset("pico")) is None
    assert grow(taught(preset("nano")).state_dict(), preset("nano"), preset("pico")) is None


def test_a_training_grows_what_init_names(tiny: TrainConfig, tmp_path: Path) -> None:
    """With other classes in another order, too; and after an epoch of almost no learning it still computes the same."""
    small = tiny.model.model_copy(update={"classes": len(NAMES)})
    path = save_taught(small, NAMES, tmp_path / "small.pt")
    wide = changed(tiny, model={"stem_channels": small.stem_channels * 2}, train={"init": path, "epochs": 1})
    transfer = plan_transfer(changed(wide, model={"classes": 2}), ["red", "grey"])
    assert transfer is not None
    assert transfer.report[1] == "it has fewer channels or layers: grown to this size, and computes the same at first"
    assert transfer.report[2] == "class predictors: 3 -> 2 classes; known already: red; start anew: grey"
    assert len(transfer.report) == 3
    result = train(changed(wide, optim={"lr": 1e-12}))
    learned, before = load_checkpoint(result.run_dir / "last.pt").state["model"], load_checkpoint(path).state["ema"]
    name = "head.box_predictors.0.weight"
    torch.testing.assert_close(learned[name], before[name], atol=1e-6, rtol=0)


def test_a_grown_part_cannot_be_frozen(tiny: TrainConfig, tmp_path: Path) -> None:
    small = tiny.model.model_copy(update={"classes": len(NAMES)})
    path = save_taught(small, NAMES, tmp_path / "small.pt")
    config = changed(
        tiny,
        model={"stem_channels": small.stem_channels * 2, "classes": len(NAMES)},
        train={"init": path, "freeze": ["backbone"]},
    )
    with pytest.raises(InputError, match=r"train\.freeze: backbone would keep random weights"):
        plan_transfer(config, NAMES)
    assert plan_transfer(changed(config, train={"freeze": ["neck"]}), NAMES) is not None
