"""What tests of whole trainings share: configs, stops at a step, weights compared bit by bit."""

import signal
from pathlib import Path

import pytest
import torch

from fusedet.model import build_detector, load_checkpoint, save_checkpoint
from fusedet.model.config import ModelConfig
from fusedet.model.detector import DetectorNet
from fusedet.train import TrainConfig
from fusedet.train.data.dataset import Batch
from fusedet.train.loop.rollback import Step
from fusedet.train.loop.trainer import Trainer


def tiny_config(root: Path, out: Path, **settings: object) -> TrainConfig:
    """A training of a second without a report, on the set in ``root``; ``settings`` are those of ``train``."""
    return TrainConfig.model_validate(
        {
            "model": {
                "input_size": 64,
                "stages": [{"channels": 16, "block": "fused"}, *({"channels": 16} for _ in range(3))],
                "neck": {"channels": 16, "kernel": 3},
                "head": {"channels": 16, "depth": 1, "kernel": 3},
            },
            "data": {"root": str(root), "workers": 0},
            "train": {"epochs": 3, "batch": 4, "device": "cpu", "out": str(out), "report": False, **settings},
        }
    )


def draw_no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the drawing of ``curves.png``, which takes a quarter of a tiny training; other tests look at it."""
    monkeypatch.setattr("fusedet.train.loop.metric_log.draw_curves", lambda _, path: path.write_bytes(b"not drawn"))


def changed(config: TrainConfig, **sections: dict[str, object]) -> TrainConfig:
    """The config with other values in some sections."""
    return config.model_copy(
        update={name: getattr(config, name).model_copy(update=values) for name, values in sections.items()}
    )


def taught(config: ModelConfig) -> DetectorNet:
    """A network whose weights and statistics are no one's first ones."""
    torch.manual_seed(5)
    net = build_detector(config)
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.05 * torch.rand_like(tensor))
    return net


def save_taught(config: ModelConfig, names: list[str], path: Path) -> Path:
    """Its checkpoint."""
    path.parent.mkdir(exist_ok=True)
    meta = {"names": names, "model": config.model_dump(mode="json")}
    save_checkpoint(path, {"ema": taught(config).state_dict()}, meta)
    return path


def weights(path: Path) -> dict[str, torch.Tensor]:
    """The network's tensors in a checkpoint."""
    return load_checkpoint(path).state["model"]


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    """Bit by bit."""
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Asks for a stop, as Ctrl-C does, in the given step."""
    plain, done = Trainer._step, 0

    def step_and_stop(trainer: Trainer, batch: Batch) -> Step:
        nonlocal done
        done += 1
        if done == step:
            signal.raise_signal(signal.SIGINT)
        return plain(trainer, batch)

    monkeypatch.setattr(Trainer, "_step", step_and_stop)
