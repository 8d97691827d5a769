"""What a training takes over from a checkpoint, and what of it stays as it is."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from fusedet.configs import InputError, starter
from fusedet.model import build_detector, load_checkpoint, load_detector, save_checkpoint
from fusedet.model.config import ModelConfig
from fusedet.train import TrainConfig, resume, train
from fusedet.train.config import RunConfig, load_train_config
from fusedet.train.optim.optimizer import build_optimizer, resolve_optim_defaults
from fusedet.train.transfer.finetune import CLASS_LAYERS, freeze, keep_frozen_norms, plan_transfer
from tests.train.trainings import assert_equal, changed, save_taught, stop_at, weights

#: Of the set ``rectangles``.
NAMES = ["blue", "green", "red"]

Teach = Callable[..., Path]


def model_of(config: TrainConfig, **changes: object) -> ModelConfig:
    return config.model.model_copy(update={"classes": len(NAMES), **changes})


@pytest.fixture
def taught(tiny: TrainConfig, tmp_path: Path) -> Teach:
    """Writes a checkpoint of some classes, whose weights are no one's first ones."""
    return lambda names, path=tmp_path / "taught.pt", **changes: save_taught(
        model_of(tiny, classes=len(names), **changes), names, path
    )


def started(config: TrainConfig, init: Path, names: list[str] = NAMES) -> tuple[dict[str, Tensor], list[str]]:
    """Weights of a network that has just taken over what it can, and what is said of it."""
    config = changed(config, train={"init": init}, model={"classes": len(names)})
    transfer = plan_transfer(config, names)
    assert transfer is not None
    torch.manual_seed(0)
    net = build_detector(config.model)
    transfer.apply(net)
    return net.state_dict(), list(transfer.report)


def fresh(config: TrainConfig, classes: int = len(NAMES)) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return build_detector(model_of(config, classes=classes)).state_dict()


def test_class_layers_are_what_depends_on_the_classes(tiny: TrainConfig) -> None:
    three, five = fresh(tiny, 3), fresh(tiny, 5)
    assert {name for name in three if three[name].shape != five[name].shape} == {
        name for name in three if name.startswith(CLASS_LAYERS)
    }


def test_the_same_classes_take_everything(tiny: TrainConfig, taught: Teach) -> None:
    path = taught(NAMES)
    state, report = started(tiny, path)
    assert_equal(state, load_checkpoint(path).state["ema"])
    assert report == [f"{len(state)} of {len(state)} tensors start from {path}"]


def test_classes_go_by_their_names(tiny: TrainConfig, taught: Teach) -> None:
    """Other places, other spelling, new ones: each row of a class layer is that of its class, or a fresh one."""
    path = taught(["red", "grey", "Blue", "black"])
    state, report = started(tiny, path)
    theirs, new = load_checkpoint(path).state["ema"], fresh(tiny)
    for name, tensor in state.items():
        if name.startswith(CLASS_LAYERS):
            assert torch.equal(tensor[0], theirs[name][2]), "blue"
            assert torch.equal(tensor[1], new[name][1]), "green is new"
            assert torch.equal(tensor[2], theirs[name][0]), "red"
        else:
            assert torch.equal(tensor, theirs[name])
    class_tensors = sum(name.startswith(CLASS_LAYERS) for name in state)
    assert report == [
        f"{len(state) - class_tensors} of {len(state)} tensors start from {path}",
        "class predictors: 4 -> 3 classes; known already: blue, red; start anew: green",
    ]


def test_as_many_other_classes_start_anew(tiny: TrainConfig, taught: Teach) -> None:
    """A row of a class by another name would only mislead."""
    state, report = started(tiny, taught(["cat", "dog", "cow"]))
    new = fresh(tiny)
    assert all(torch.equal(state[name], new[name]) for name in state if name.startswith(CLASS_LAYERS))
    assert report[1] == "class predictors: 3 -> 3 classes; start anew: blue, green, red"


def test_two_spellings_stay_apart(tiny: TrainConfig, taught: Teach) -> None:
    path = taught(["BLUE", "blue", "Blue"])
    state, _ = started(tiny, path, ["Blue", "BLUE"])
    theirs = load_checkpoint(path).state["ema"]
    name = CLASS_LAYERS[0] + "0.weight"
    assert torch.equal(state[name], theirs[name][[2, 0]])


def test_what_has_another_shape_is_said(tiny: TrainConfig, taught: Teach) -> None:
    _, report = started(tiny, taught(NAMES, stem_channels=32))
    assert len(report) == 2
    assert report[1].startswith("backbone: ")
    assert "tensors start anew, first backbone." in report[1]
    assert report[1].endswith(" there")


@pytest.mark.parametrize(("there", "here"), [(5, 3), (3, 5)])
def test_of_other_kernels_the_middle_is_taken(tiny: TrainConfig, taught: Teach, there: int, here: int) -> None:
    head = tiny.model.head
    init = taught(NAMES, head=head.model_copy(update={"kernel": there}))
    config = changed(tiny, model={"head": head.model_copy(update={"kernel": here})})
    state, report = started(config, init)
    theirs = load_checkpoint(init).state["ema"]
    kernels = [name for name in theirs if theirs[name].shape != state[name].shape]
    assert kernels
    assert f"{len(kernels)} kernels are larger or smaller there: their middle is taken over" in report
    for name in kernels:
        small, large = sorted((theirs[name], state[name]), key=lambda kernel: kernel.shape[-1])
        assert torch.equal(large[..., 1:-1, 1:-1], small)
        border = large.abs().sum() - small.abs().sum()
        assert border > 0 if there > here else abs(border) < 1e-5


def test_the_average_starts_there_too(tiny: TrainConfig, taught: Teach, capsys: pytest.CaptureFixture[str]) -> None:
    """A learning rate of almost nothing: what was graded after the epoch is what was taken over, statistics aside."""
    path = taught(["red", "green", "blue"])
    result = train(changed(tiny, train={"init": path, "epochs": 1}, optim={"lr": 1e-12}))
    net, _ = load_detector(result.run_dir / "best.pt")
    theirs, average = load_checkpoint(path).state["ema"], net.state_dict()
    name = "head.box_predictors.0.weight"
    torch.testing.assert_close(average[name], theirs[name], atol=1e-6, rtol=0)
    name = CLASS_LAYERS[0] + "0.weight"
    torch.testing.assert_close(average[name], theirs[name][[2, 1, 0]], atol=1e-6, rtol=0)
    assert "class predictors: 3 -> 3 classes; known already: blue, green, red" in capsys.readouterr().out


def frozen_names(state: dict[str, Tensor], parts: tuple[str, ...]) -> set[str]:
    return {name for name in state if name.partition(".")[0] in parts}


def test_frozen_parts_do_not_change(tiny: TrainConfig, taught: Teach) -> None:
    """Neither weights nor statistics, neither in the network nor in its average; everything else learns."""
    path, parts = taught(NAMES), ("backbone", "neck")
    enough = {"topk": 10}  # points of an object for some to be on the coarsest map
    result = train(changed(tiny, train={"init": path, "freeze": list(parts), "epochs": 1}, loss=enough))
    before, state = load_checkpoint(path).state["ema"], load_checkpoint(result.run_dir / "last.pt").state
    for after in (state["model"], state["ema"]):
        same = {name for name in after if torch.equal(after[name], before[name])}
        frozen = frozen_names(after, parts)
        assert any("running_mean" in name for name in frozen)
        assert any("num_batches_tracked" in name for name in frozen)
        assert same == frozen


def test_a_resume_with_frozen_parts_is_exact(
    tiny: TrainConfig, taught: Teach, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = changed(tiny, train={"init": taught(NAMES), "freeze": ["backbone"], "epochs": 2})
    through = train(changed(config, train={"out": tmp_path / "through"}))
    with monkeypatch.context() as patch:
        stop_at(patch, 2)
        stopped = train(changed(config, train={"out": tmp_path / "stopped"}))
    assert not stopped.finished
    Path(str(config.train.init)).unlink()  # a resume has no need of it
    assert resume(stopped.run_dir).finished
    for name in ("model", "ema"):
        ends = (load_checkpoint(run.run_dir / "last.pt").state[name] for run in (stopped, through))
        assert_equal(*ends)
    assert_equal(weights(stopped.run_dir / "last.pt"), weights(through.run_dir / "last.pt"))


def test_frozen_parts_are_not_the_optimisers(tiny: TrainConfig) -> None:
    net = build_detector(model_of(tiny))
    freeze(net, ["backbone"])
    net.train()
    keep_frozen_norms(net, ["backbone"])
    assert not any(module.training for module in net.backbone.modules())
    assert all(module.training for module in net.neck.modules() if isinstance(module, nn.BatchNorm2d))
    held = {
        id(p)
        for group in build_optimizer(net, resolve_optim_defaults(tiny.optim)).param_groups
        for p in group["params"]
    }
    assert held == {id(p) for part in (net.neck, net.head) for p in part.parameters()}


def test_freeze_in_a_config() -> None:
    init = "train.init=a.pt"
    assert load_train_config("nano", [init, "train.freeze=backbone"]).train.freeze == ["backbone"]
    assert load_train_config("nano", [init, "train.freeze=[backbone, neck]"]).train.freeze == ["backbone", "neck"]
    assert load_train_config("nano").train.freeze == []
    for wrong, said in (
        ("head", "train.freeze.0: must be 'backbone' or 'neck', but got 'head'"),
        ("3", "train.freeze"),
    ):
        with pytest.raises(InputError, match=said):
            load_train_config("nano", [init, f"train.freeze={wrong}"])
    with pytest.raises(InputError, match=r"train: freeze would keep random weights: it needs init"):
        load_train_config("nano", ["train.freeze=backbone"])
    with pytest.raises(ValidationError):
        RunConfig(freeze=["neck"])


def refused(config: TrainConfig, **train_changes: object) -> str:
    """What a training says that must not begin."""
    with pytest.raises(InputError) as caught:
        train(changed(config, train=train_changes))
    assert not Path(str(config.train.out)).exists()
    return str(caught.value)


def test_frozen_parts_must_be_in_the_checkpoint(tiny: TrainConfig, taught: Teach) -> None:
    path = taught(NAMES)
    said = refused(changed(tiny, model={"stem_channels": 32}), init=path, freeze=["backbone"])
    assert said.startswith(f"train.freeze: backbone would keep random weights: {path} has nothing that fits ")
    assert "first backbone." in said


def test_a_checkpoint_of_nothing_alike_is_refused(tiny: TrainConfig, tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    save_checkpoint(path, {"ema": {"layer.weight": torch.zeros(3)}}, {"names": ["cat"]})
    assert refused(tiny, init=path) == (
        f"train.init: {path}: no tensor in it has a name and shape of the network to train"
    )
    save_checkpoint(path, {"ema": {"layer.weight": torch.zeros(3)}}, {"names": 3})
    assert "must hold the names of its classes" in refused(tiny, init=path)


@pytest.fixture
def starters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the one that ships."""
    folder = tmp_path / "weights"
    monkeypatch.setattr(starter, "_FOLDER", folder)
    return folder


def test_without_starter_weights_it_is_said(tiny: TrainConfig, starters: Path) -> None:
    assert starter.available() == []
    assert refused(tiny, init=Path("starter")).startswith(
        "train.init is starter, but no preset has starter weights yet"
    )


def test_the_starter_is_that_of_the_network(tiny: TrainConfig, taught: Teach, starters: Path) -> None:
    """Classes and input size do not matter, anything else does."""
    taught(NAMES, starters / "other.pt", stem_channels=48)
    mine = taught(["red", "cat"], starters / "mine.pt", input_size=(96, 96))
    assert starter.available() == ["mine", "other"]
    state, report = started(tiny, Path("starter"))
    theirs = load_checkpoint(mine).state["ema"]
    name = CLASS_LAYERS[0] + "0.bias"
    assert torch.equal(state[name][2], theirs[name][0])
    assert report[0].endswith("tensors start from the starter weights of mine")
    assert "known already: red" in report[1]

    said = refused(changed(tiny, model={"negative_slope": 0.2}), init=Path("starter"))
    assert "nor a wider or deeper one: model.negative_slope is 0.2, but 0.1 in mine; " in said
    assert "in other" in said


def test_the_starter_of_a_narrower_network_is_grown(tiny: TrainConfig, taught: Teach, starters: Path) -> None:
    """The widest of those that fit."""
    for name, width in (("a", 16), ("b", 32), ("c", 64)):
        taught(NAMES, starters / f"{name}.pt", stem_channels=width)
    _, report = started(changed(tiny, model={"stem_channels": 48}), Path("starter"))
    assert report[0].endswith("tensors start from the starter weights of b")
    assert report[1] == "it has fewer channels or layers: grown to this size, and computes the same at first"
