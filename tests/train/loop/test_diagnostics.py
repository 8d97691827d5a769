"""Dead units and gradient norms, by hand on small networks and in whole trainings."""

import math
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from fusedet.model import InferenceGraph, ModelConfig, build_detector
from fusedet.model.blocks import ConvNormAct, LayerStyle
from fusedet.train import resume, train
from fusedet.train.loop.diagnostics import DIAGNOSTIC_NAMES, Diagnostics, LayerRow, read_diagnostics
from fusedet.train.run_folder import RunFolder
from tests.train.trainings import assert_equal, changed, stop_at, weights


def network(activation: str, biases: list[float]) -> nn.Sequential:
    """A ``first`` layer whose units are the image plus a bias each, and a ``last`` convolution."""
    layer = ConvNormAct(1, len(biases), style=LayerStyle(activation, 0.1, reparam=False))
    nn.init.ones_(layer.conv.weight)
    layer.norm.bias.data = torch.tensor(biases)
    return nn.Sequential(OrderedDict(first=layer, last=nn.Conv2d(len(biases), 2, 1))).eval()


def watch(net: nn.Module, images: list[torch.Tensor], path: Path) -> dict[str, float]:
    diagnostics = Diagnostics(net, path)
    with torch.inference_mode(), diagnostics.watch(net):
        for image in images:
            net(image)
    return diagnostics.finish_epoch(1)


@pytest.mark.parametrize(
    ("activation", "constant"),
    [
        ("relu", 0.75),
        ("leaky_relu", 0.0),
        ("prelu", 0.0),
        ("silu", 0.5),  # flat at -1000, not at -1
        ("hardswish", 0.5),
        ("elu", 0.5),
        ("sigmoid", 0.5),
        ("tanh", 0.5),
    ],
)
def test_dead_and_constant_units(activation: str, constant: float, tmp_path: Path) -> None:
    """Images of 0..1: of the biases 1, -1, -1000 and -5000 only the first unit is ever positive."""
    torch.manual_seed(0)
    images = [torch.rand(2, 1, 4, 4), torch.ones(1, 1, 4, 4)]
    figures = watch(network(activation, [1.0, -1.0, -1000.0, -5000.0]), images, tmp_path / "rows.csv")
    assert figures["dead_units"] == 0.75
    assert figures["constant_units"] == constant
    first, last = read_diagnostics(tmp_path / "rows.csv")
    assert (first.epoch, first.layer, first.units, first.dead, first.constant) == (1, "first", 4, 0.75, constant)
    assert (last.layer, last.units) == ("last", 0)
    assert math.isnan(last.dead)
    assert math.isnan(last.grad_norm), "nothing was trained"


def test_a_unit_that_lives_in_one_place_of_one_image_lives(tmp_path: Path) -> None:
    image = torch.zeros(3, 1, 8, 8)
    image[2, 0, 5, 6] = 2.0
    figures = watch(network("relu", [-1.0, -3.0]), [torch.zeros(1, 1, 8, 8), image], tmp_path / "rows.csv")
    assert figures["dead_units"] == 0.5


def test_hooks_are_gone_afterwards_even_after_an_error(tmp_path: Path) -> None:
    net = network("relu", [0.0])
    diagnostics = Diagnostics(net, tmp_path / "rows.csv")
    with pytest.raises(RuntimeError), diagnostics.watch(net):
        net(torch.zeros(1, 7, 4, 4))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert math.isnan(diagnostics.finish_epoch(1)["dead_units"]), "nothing went through"


@pytest.mark.parametrize("nms", [False, True])
def test_the_folded_graph_has_the_same_layers(nms: bool, tmp_path: Path) -> None:
    """Each activation that is graded belongs to a layer that has gradients."""
    config = {"input_size": 64, "classes": 3, "stages": [{"channels": 16}] * 4}
    net = build_detector(ModelConfig.model_validate(config))
    diagnostics = Diagnostics(net, tmp_path / "rows.csv")
    graph = InferenceGraph(net, nms=nms).eval()
    with torch.inference_mode(), diagnostics.watch(graph):
        graph(torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8))
    diagnostics.finish_epoch(1)
    graded = {row.layer: row.units for row in read_diagnostics(tmp_path / "rows.csv") if row.units}
    activated = {
        name: module.conv.out_channels
        for name, module in net.named_modules()
        if isinstance(module, ConvNormAct) and not isinstance(module.act, nn.Identity)
    }
    if nms:  # the selectors are not in that graph
        activated = {name: units for name, units in activated.items() if "selectors" not in name}
    assert graded == activated


def set_gradients(net: nn.Module, norms: dict[str, float]) -> None:
    """Gives each layer one gradient of that norm and no others."""
    for parameter in net.parameters():
        parameter.grad = None
    for name, norm in norms.items():
        parameter = next(net.get_submodule(name).parameters())
        parameter.grad = torch.zeros_like(parameter)
        parameter.grad.view(-1)[0] = norm


def test_gradient_norms(tmp_path: Path) -> None:
    net = network("relu", [0.0])
    diagnostics = Diagnostics(net, tmp_path / "rows.csv")
    for norms in ({"first": 3.0, "last": 4.0}, {"first": 0.06, "last": 0.08}, {"first": math.inf, "last": 1.0}):
        set_gradients(net, norms)
        total = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        diagnostics.add_step(float(total), limit=1.0)
    figures = diagnostics.finish_epoch(7)
    assert figures["grad_norm"] == pytest.approx((5 + 0.1) / 2)
    assert figures["grad_norm_max"] == pytest.approx(5)
    assert figures["clipped"] == 0.5
    assert figures["grad_spread"] == pytest.approx(math.log10(4 / 3) / 2, rel=1e-5)
    rows = {row.layer: row for row in read_diagnostics(tmp_path / "rows.csv")}
    assert rows["first"].grad_norm == pytest.approx((3 + 0.06) / 2, rel=1e-5), "as it was before clipping"
    assert rows["last"].grad_norm == pytest.approx((4 + 0.08) / 2, rel=1e-5)


def test_a_layer_without_a_gradient_has_no_part_in_the_spread(tmp_path: Path) -> None:
    net = network("relu", [0.0])
    diagnostics = Diagnostics(net, tmp_path / "rows.csv")
    set_gradients(net, {"last": 2.0})
    diagnostics.add_step(2.0, math.inf)
    figures = diagnostics.finish_epoch(1)
    assert (figures["grad_norm"], figures["clipped"], figures["grad_spread"]) == (2.0, 0.0, 0.0)
    assert [row.grad_norm for row in read_diagnostics(tmp_path / "rows.csv")] == [0.0, 2.0]


def test_forgetting_drops_later_epochs_and_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    diagnostics = Diagnostics(network("relu", [0.0]), path)
    diagnostics.forget_from(1)
    assert not path.exists()
    for epoch in (1, 2, 11):
        diagnostics.finish_epoch(epoch)
    path.write_text(path.read_text()[:-5])  # the last line is that of epoch 11
    diagnostics.forget_from(2)
    assert [(row.epoch, row.layer) for row in read_diagnostics(path)] == [(1, "first"), (1, "last")]
    path.write_text(path.read_text() + "1")  # what is left of "11,first,..."
    diagnostics.forget_from(2)
    diagnostics.finish_epoch(2)
    assert [row.epoch for row in read_diagnostics(path)] == [1, 1, 2, 2]
    path.write_text("")
    diagnostics.forget_from(1)
    diagnostics.finish_epoch(1)
    assert isinstance(read_diagnostics(path)[0], LayerRow)


def test_a_watched_training_learns_the_same(tiny, tmp_path):
    config = changed(tiny, train={"epochs": 2}, optim={"clip_norm": 1.0}, eval={"every": 2})
    plain = train(config)
    watched = train(changed(config, train={"diagnostics": True, "out": tmp_path / "watched"}))
    assert_equal(weights(plain.run_dir / "last.pt"), weights(watched.run_dir / "last.pt"))
    assert not RunFolder(plain.run_dir).diagnostics.exists()
    assert not set(RunFolder(plain.run_dir).read_metrics()[0]) & set(DIAGNOSTIC_NAMES)

    first, second = RunFolder(watched.run_dir).read_metrics()
    assert 0 < first["grad_norm"] <= first["grad_norm_max"]
    assert first["clipped"] == 1.0
    assert first["grad_spread"] > 0
    assert math.isnan(first["dead_units"]), "the first epoch is not graded"
    assert 0 <= second["dead_units"] <= 1
    rows = read_diagnostics(RunFolder(watched.run_dir).diagnostics)
    assert [row.epoch for row in rows] == [1] * (len(rows) // 2) + [2] * (len(rows) // 2)
    assert all(row.units == 0 for row in rows if row.epoch == 1)
    assert sum(row.dead * row.units for row in rows if row.units) == pytest.approx(
        second["dead_units"] * sum(row.units for row in rows), rel=1e-4
    )


def test_a_resumed_training_has_every_row_once(tiny, tmp_path, monkeypatch):
    config = changed(tiny, train={"epochs": 3, "diagnostics": True})
    through = train(changed(config, train={"out": tmp_path / "through"}))
    with monkeypatch.context() as patch:
        stop_at(patch, 5)  # in the middle of the second epoch of three steps
        stopped = train(changed(config, train={"out": tmp_path / "stopped"}))
    assert not stopped.finished
    with RunFolder(stopped.run_dir).diagnostics.open("a") as file:
        file.write("2,backbone.stem,16,0.5,0.5,1\n2,neck")  # a process that was killed before it saved
    assert resume(stopped.run_dir).finished
    assert_equal(weights(stopped.run_dir / "last.pt"), weights(through.run_dir / "last.pt"))
    mine, theirs = (read_diagnostics(RunFolder(run.run_dir).diagnostics) for run in (stopped, through))
    assert [(row.epoch, row.layer) for row in mine] == [(row.epoch, row.layer) for row in theirs]
    # Gradients of the interrupted epoch are those of the steps after the resume; its units and all else are the same.
    last_rows = [[row for row in rows if row.units and row.epoch == 3] for rows in (mine, theirs)]
    assert last_rows[0] == last_rows[1]
    assert [row.dead for row in mine if row.units] == [row.dead for row in theirs if row.units]
