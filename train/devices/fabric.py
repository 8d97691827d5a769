"""What a training runs on: one device, several, or several machines."""

import logging
import os
from datetime import timedelta
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy

from fusedet.common.errors import InputError
from fusedet.train.config import RunConfig


class Processes(NamedTuple):
    """How many processes train: on each machine, and on how many machines."""

    devices: int
    nodes: int

    @property
    def world_size(self) -> int:
        """All of them."""
        return self.devices * self.nodes


def count_processes(config: RunConfig) -> Processes:
    """What ``train.devices`` and ``train.nodes`` say; under torchrun, what that says.

    Raises:
        InputError: the batch cannot be shared by so many, or several machines do not know of each other.
    """
    environment = os.environ
    if "TORCHELASTIC_RUN_ID" in environment:
        devices = int(environment["LOCAL_WORLD_SIZE"])
        processes = Processes(devices, int(environment["WORLD_SIZE"]) // devices)
    else:
        processes = Processes(config.devices, config.nodes)
        missing = [name for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if name not in environment]
        if processes.nodes > 1 and missing:
            raise InputError(
                f"train.nodes is {processes.nodes}, but {', '.join(missing)} is not in the environment; torchrun sets "
                "it on each machine"
            )
    if isinstance(config.batch, int) and config.batch % processes.world_size:
        raise InputError(
            f"train.batch is {config.batch}, which {processes.world_size} processes cannot share evenly; "
            f"give a multiple of {processes.world_size}, or other train.devices"
        )
    return processes


def build_fabric(config: RunConfig) -> Fabric:
    """Joins the processes. Where this starts them, each one runs the whole command up to here.

    Raises:
        InputError: there is no such device, or it cannot compute with this precision.
    """
    accelerator, (devices, nodes) = config.device, count_processes(config)
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if devices > there.get(accelerator, devices):
        raise InputError(
            f"train.device is {accelerator}, but torch finds {there[accelerator]} such devices here where "
            f"{devices} should be (train.devices); train.device=cpu trains on the CPU"
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it repeats what the config says
    strategy: Any = "auto"
    if devices * nodes > 1:
        strategy = DDPStrategy(timeout=timedelta(minutes=config.timeout_minutes))
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=strategy,
        precision=_precision(config, accelerator),
    )
    fabric.launch()
    return fabric


def _precision(config: RunConfig, accelerator: str) -> Any:
    if config.precision == "16-mixed" and accelerator == "cpu":
        raise InputError("train.precision is 16-mixed, which a CPU cannot do; bf16-mixed or 32-true can be used there")
    if config.precision != "auto":
        return config.precision
    if accelerator != "cuda":
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
