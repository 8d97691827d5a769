"""Several processes train as one: on the CPU, over gloo."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from fusedet.configs import InputError
from fusedet.configs.reader.validate import dump_config
from fusedet.model import load_checkpoint, load_detector, save_checkpoint
from fusedet.model.detector import build_detector
from fusedet.train import TrainConfig, resume, train
from fusedet.train.devices.batchnorm import SyncedBatchNorm, synchronise_norms
from fusedet.train.devices.collectives import (
    all_reduce_sum,
    any_rank,
    gather,
    raise_on_all_ranks,
    rank_mean,
)
from fusedet.train.devices.fabric import count_processes
from fusedet.train.run_folder import RunFolder
from tests.train.devices.ranks import RANKS, in_every_process, norm_and_batch, work
from tests.train.trainings import changed


def test_processes_work_as_one(tmp_path):
    """The norm of the whole batch, its gradients and statistics; and what processes tell each other."""
    first, second = in_every_process(work, tmp_path)
    norm, images, pull = norm_and_batch()
    images.requires_grad_()
    output = norm(images)
    (output * pull).sum().backward()
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(torch.cat((first["output"], second["output"])), output.detach(), **close)
    torch.testing.assert_close(torch.cat((first["images"], second["images"])), images.grad, **close)
    torch.testing.assert_close(first["weight"] + second["weight"], norm.weight.grad, **close)
    torch.testing.assert_close(first["bias"] + second["bias"], norm.bias.grad, **close)
    expected = nn.Sequential(norm).state_dict()
    for one in (first, second):
        assert one["state"].keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(one["state"][name], value, **close)
        assert one["mean"].tolist() == [1.0, 0.5]
        assert float(one["sum"]) == (2 + 2 + 3) / RANKS
        assert float(one["least"]) == 1 / RANKS
        assert one["any"] == [True, False]
        assert one["gathered"] == [[0], [1]]
        assert one["world"] == RANKS
    assert first["said"] == "InputError: an image is damaged"
    assert second["said"] == "SystemExit: 2"


@pytest.mark.parametrize(("device", "kind"), [("cpu", SyncedBatchNorm), ("cuda", nn.SyncBatchNorm)])
def test_every_norm_is_replaced_and_keeps_what_it_knows(device, kind):
    """A checkpoint does not tell by how many processes it was written."""
    net = nn.Sequential(nn.Conv2d(3, 5, 1), nn.Sequential(nn.BatchNorm2d(5, eps=0.5, momentum=0.25)))
    net[1].requires_grad_(False).eval()
    before = net.state_dict()
    synchronise_norms(net, torch.device(device))
    norm = net[1][0]
    assert type(norm) is kind
    assert (norm.eps, norm.momentum, norm.training, norm.weight.requires_grad) == (0.5, 0.25, False, False)
    after = net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_alone_a_process_answers_itself():
    values = torch.tensor([0.25, 0.5])
    assert rank_mean(values) is values
    assert float(all_reduce_sum(values)) == 1
    assert gather("x") == ["x"]
    assert not any_rank(False, torch.device("cpu"))
    with pytest.raises(InputError, match="mine"), raise_on_all_ranks():
        raise InputError("mine")


def test_a_batch_that_cannot_be_shared_is_told_before_anything_starts(tiny, monkeypatch):
    several = tiny.train.model_copy(update={"devices": 3})
    with pytest.raises(
        InputError, match=r"train\.batch is 4, which 3 processes cannot share evenly; give a multiple of 3"
    ):
        count_processes(several)
    with pytest.raises(InputError, match=r"train\.nodes is 2, but .*MASTER_ADDR.* torchrun"):
        count_processes(tiny.train.model_copy(update={"nodes": 2}))
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    assert count_processes(several) == (2, 2)


def command(config: TrainConfig, folder: Path) -> list[str]:
    source = folder / "several.yaml"
    source.write_text(dump_config(config))
    return [sys.executable, "-m", "fusedet.cli.main", "train", str(source)]


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tiny, tmp_path):
    """Same order, same global batch, same statistics: the first step has the same losses and gradients, to rounding.

    Later ones differ more: which points learn an object is a choice that rounding can tip.
    """
    plain = {"name": "sgd", "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0, "warmup_epochs": 0.0, "clip_norm": 0.0}
    plain["schedule"] = "constant"
    one_step = changed(tiny, train={"epochs": 1, "batch": 12}, optim=plain)
    alone, two = RunFolder(tmp_path / "alone"), RunFolder(tmp_path / "two")
    train(changed(one_step, train={"out": alone.path}))
    subprocess.run(command(changed(one_step, train={"out": two.path, "devices": 2}), tmp_path), check=True, timeout=300)
    mine, theirs = alone.read_metrics()[0], two.read_metrics()[0]
    for name in ("loss", "cls", "box", "l1", "one_to_one"):
        assert theirs[name] == pytest.approx(mine[name], rel=2e-5), name
    torch.manual_seed(one_step.train.seed)
    before = dict(build_detector(load_detector(alone.last)[0].config).named_parameters())
    after = [load_checkpoint(run.last).state["model"] for run in (alone, two)]
    a, b = (torch.cat([(state[name] - before[name].detach()).flatten() for name in before]) for state in after)
    assert float(a.norm()) > 0
    assert float((a - b).norm() / a.norm()) < 1e-3
    for name in after[0].keys() - before.keys():  # the norms' statistics
        torch.testing.assert_close(after[1][name], after[0][name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_loss_of_two_processes_falls_as_that_of_one(tiny, tmp_path, capsys):
    """Whole trainings, by Muon: over ten epochs the losses agree within 5 %, the first three within 1 %."""
    alone, two = RunFolder(tmp_path / "alone"), RunFolder(tmp_path / "two")
    calm = {"mosaic": 0.0, "translate": 0.0, "scale": 0.0}
    whole = changed(tiny, train={"epochs": 10, "batch": 6, "report": False}, augment=calm, optim={"lr": 0.004})
    train(changed(whole, train={"out": alone.path}))
    subprocess.run(command(changed(whole, train={"out": two.path, "devices": 2}), tmp_path), check=True, timeout=300)
    mine, theirs = ([row["loss"] for row in run.read_metrics()] for run in (alone, two))
    with capsys.disabled():
        print("\nloss by epoch, one process:  ", *(f"{loss:.4f}" for loss in mine))
        print("loss by epoch, two processes:", *(f"{loss:.4f}" for loss in theirs))
    assert theirs[:3] == pytest.approx(mine[:3], rel=0.01)
    assert theirs == pytest.approx(mine, rel=0.05)
    assert mine[-1] < 0.9 * mine[0], "it learned"


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_one_process_goes_on(tiny, tmp_path):
    config = changed(tiny, train={"epochs": 400, "out": tmp_path / "run", "devices": 2})
    run = RunFolder(tmp_path / "run")
    process = subprocess.Popen(command(config, tmp_path), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (run.last.exists() and load_checkpoint(run.last).meta["epoch"] >= 1):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [child for child in children if b"fusedet" in Path(f"/proc/{child}/cmdline").read_bytes()]
    assert len(workers) == 1
    os.kill(int(workers[0]), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    last = errors.strip().splitlines()[-1]
    assert last == (
        "fusedet: error: process 1 of 2: another process of this training has ended, or does not answer; "
        f"go on with: fusedet train --resume {run.path}"
    )

    done = load_checkpoint(run.last).meta["epoch"]
    checkpoint = load_checkpoint(run.last)
    checkpoint.meta["config"]["train"]["epochs"] = done + 2
    save_checkpoint(run.last, checkpoint.state, checkpoint.meta)
    result = resume(run.path, ["train.devices=1"])
    assert result.finished
    assert [row["epoch"] for row in run.read_metrics()] == list(range(1, done + 3))
