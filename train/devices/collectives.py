"""What the processes (ranks) of one training exchange. A process alone exchanges nothing.

Each process works on its part of every batch. Gradients are averaged over the processes (``DistributedDataParallel``),
so a loss whose average over the processes is the loss of the whole batch gives the gradients of the whole batch. To
that end losses are divided by :func:`all_reduce_sum`, and BatchNorm takes the statistics of all
(:mod:`fusedet.train.devices.batchnorm`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, distributed

from fusedet.common.errors import GaveUpError, InputError

_T = TypeVar("_T")


def world_size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank_mean(values: Tensor) -> Tensor:
    """Their average over the processes, without a gradient."""
    ranks = world_size()
    if ranks == 1:
        return values
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total / ranks


def all_reduce_sum(values: Tensor, least: float = 1.0) -> Tensor:
    """The sum of ``values`` over all processes, at least ``least``, divided by their number: a scalar, no gradient.

    Each process divides the sum over its part of the batch by it, so that their average is that of the whole.
    """
    ranks = world_size()
    total = values.sum()
    if ranks == 1:
        return total.clamp(min=least)
    distributed.all_reduce(total)
    return total.clamp(min=least) / ranks


def any_rank(flag: bool, device: torch.device) -> bool:
    """Whether the flag is up in any process; all get the same answer."""
    if world_size() == 1:
        return flag
    return bool(rank_mean(torch.tensor(float(flag), device=device)) > 0)


def gather(value: _T) -> list[_T]:
    """The value of every process, in the order of their ranks; plain values only."""
    ranks = world_size()
    if ranks == 1:
        return [value]
    values: list[_T] = [value] * ranks
    distributed.all_gather_object(values, value)
    return values


@contextmanager
def raise_on_all_ranks() -> Iterator[None]:
    """Bad input that one rank finds in here ends all of them.

    Raises InputError in the first process, with what the first rank to find something said; SystemExit in the others.
    """
    if world_size() == 1:
        yield
        return
    error: InputError | None = None
    try:
        yield
    except InputError as found:
        error = found
    first = next((text for text in gather(None if error is None else str(error)) if text is not None), None)
    if first is not None:
        if distributed.get_rank() == 0:
            raise InputError(first) from error
        raise SystemExit(2)


@contextmanager
def explain_lost_rank(how_to_go_on: str) -> Iterator[None]:
    """Explains the error of a rank that has lost another one, and how to go on.

    Raises GaveUpError if another process ended, or was silent for ``train.timeout_minutes``.
    """
    try:
        yield
    except GaveUpError:
        raise
    except RuntimeError as error:
        if world_size() == 1 or not _is_lost_connection(error):
            raise
        raise GaveUpError(
            f"process {distributed.get_rank() + 1} of {world_size()}: another process of this training has ended, or "
            f"does not answer; {how_to_go_on}"
        ) from error


def final_barrier() -> None:
    """Waits until all ranks are done, then ends the connection.

    The first one may still write: others that left with an exit code before it would be taken for a failure.
    """
    if world_size() > 1:
        distributed.barrier()
        distributed.destroy_process_group()


def _is_lost_connection(error: RuntimeError) -> bool:
    text = str(error).lower()
    return isinstance(error, distributed.DistError) or any(word in text for word in ("gloo", "nccl", "connection"))
