"""What two processes do in the test of collectives: they import this and little else, and so start quickly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing, nn

from fusedet.common.errors import InputError
from fusedet.train.devices.batchnorm import SyncedBatchNorm, synchronise_norms
from fusedet.train.devices.collectives import (
    all_reduce_sum,
    any_rank,
    gather,
    raise_on_all_ranks,
    rank_mean,
    world_size,
)

__all__ = ["RANKS", "in_every_process", "norm_and_batch", "work"]

RANKS = 2


def _rank(rank: int, work: Callable[[int], Any], meeting: Path) -> None:
    distributed.init_process_group("gloo", f"file://{meeting}", world_size=RANKS, rank=rank)
    torch.save(work(rank), f"{meeting}-{rank}.pt")
    distributed.destroy_process_group()


def in_every_process(work: Callable[[int], Any], folder: Path) -> list[Any]:
    """What ``work`` returns in each of the processes."""
    meeting = folder / "meeting"
    multiprocessing.start_processes(_rank, (work, meeting), RANKS, start_method="spawn")
    return [torch.load(f"{meeting}-{rank}.pt", weights_only=True) for rank in range(RANKS)]


#: Parts of the batch that the processes get: three images and one.
PARTS = (slice(0, 3), slice(3, 4))


def norm_and_batch() -> tuple[nn.BatchNorm2d, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    norm = nn.BatchNorm2d(5).double()
    with torch.no_grad():
        norm.weight.copy_(torch.rand(5, generator=random))
        norm.bias.copy_(torch.rand(5, generator=random))
    images, pull = (torch.randn(4, 5, 3, 2, generator=random, dtype=torch.float64) for _ in range(2))
    images = images + 10 * torch.arange(4)[:, None, None, None]  # the parts differ
    return norm, images, pull


def work(rank: int) -> dict[str, Any]:
    norm, images, pull = norm_and_batch()
    net = nn.Sequential(norm)
    synchronise_norms(net, torch.device("cpu"))
    assert isinstance(net[0], SyncedBatchNorm)
    part = images[PARTS[rank]].requires_grad_()
    output = net(part)
    (output * pull[PARTS[rank]]).sum().backward()
    said = ""
    try:
        with raise_on_all_ranks():
            if rank == 1:
                raise InputError("an image is damaged")
    except (InputError, SystemExit) as error:
        said = f"{type(error).__name__}: {error}"
    return {
        "output": output.detach(),
        "images": part.grad,
        "weight": net[0].weight.grad,
        "bias": net[0].bias.grad,
        "state": net.state_dict(),
        "mean": rank_mean(torch.tensor([1.0, float(rank)])),
        "sum": all_reduce_sum(torch.tensor([2.0, 3.0 * rank])),
        "least": all_reduce_sum(torch.tensor([0.1])),
        "any": [any_rank(rank == 1, torch.device("cpu")), any_rank(False, torch.device("cpu"))],
        "gathered": gather([rank]),
        "world": world_size(),
        "said": said,
    }
