"""How many images a GPU's memory holds in one training step: ``train.batch=auto``."""

import gc
from collections.abc import Callable

import torch
from lightning_fabric import Fabric

from fusedet.common.errors import InputError
from fusedet.model.decode import anchor_points
from fusedet.model.detector import STRIDES, build_detector
from fusedet.train.config import TrainConfig
from fusedet.train.devices.collectives import gather
from fusedet.train.targets.assign import GroundTruth
from fusedet.train.targets.losses import detection_loss

#: Part of the memory that a step may take; the rest is for batches with more objects and for the evaluation.
_SHARE = 0.8
#: At most so many, and not more than leave an epoch this many steps.
MOST, STEPS = 256, 16
#: Objects in each image of the trial.
_OBJECTS = 50


def batch_that_fits(config: TrainConfig, fabric: Fabric, images: int, fallback: int) -> int:
    """The batch of all processes together: a power of two for each of them, and what fits on the smallest device.

    Args:
        config: with ``model.classes`` set.
        fabric: the devices.
        images: to learn from.
        fallback: the answer where there is no GPU; with one, small sets take up to this many.

    Raises:
        InputError: not even one image fits.
    """
    if fabric.device.type != "cuda":
        return fallback
    most = max(fallback, min(MOST, images // STEPS)) // fabric.world_size
    smallest = min(gather(largest_that_fits(lambda batch: _fits(config, fabric, batch), most)))
    if not smallest:
        raise InputError("train.batch is auto, but not even one image of model.input_size fits into the GPU's memory")
    return smallest * fabric.world_size


def largest_that_fits(fits: Callable[[int], bool], most: int) -> int:
    """The largest power of two up to ``most`` for which ``fits`` says yes, asked from 1 upwards; 0 for none."""
    best, batch = 0, 1
    while batch <= most and fits(batch):
        best, batch = batch, 2 * batch
    return best


def _fits(config: TrainConfig, fabric: Fabric, batch: int) -> bool:
    """Whether a step with images of noise and many objects leaves enough memory."""
    device = fabric.device
    before = torch.random.get_rng_state()
    try:
        return _memory_of_a_step(config, fabric, batch) <= _SHARE * torch.cuda.mem_get_info(device)[1]
    except torch.cuda.OutOfMemoryError:
        return False
    finally:
        torch.random.set_rng_state(before)
        gc.collect()
        torch.cuda.empty_cache()


def _memory_of_a_step(config: TrainConfig, fabric: Fabric, batch: int) -> int:
    device, (height, width) = fabric.device, config.model.input_size
    larger = 1 + config.augment.multi_scale
    deepest = max(STRIDES)
    height, width = (round(side * larger / deepest) * deepest for side in (height, width))
    torch.cuda.reset_peak_memory_stats(device)
    net = build_detector(config.model, detach_one_to_one=config.loss.detach_one_to_one).to(device)
    images = torch.rand(batch, 3, height, width, device=device) * 255
    corners = torch.rand(batch, _OBJECTS, 2, device=device) * (min(height, width) / 2)
    boxes = torch.cat((corners, corners + min(height, width) / 4), 2)
    truth = GroundTruth(boxes, torch.zeros(batch, _OBJECTS, dtype=torch.int64, device=device))
    with fabric.autocast():
        predictions = net(images)
    anchors = anchor_points((height, width), STRIDES).to(device)
    total, _ = detection_loss(predictions, anchors, truth, config.loss)
    total.backward()
    weights = sum(p.numel() * p.element_size() for p in net.parameters())
    # Beside the step itself: the average, the optimiser's two moments, and three states of all that to go back to.
    return int(torch.cuda.max_memory_allocated(device)) + 15 * weights
