"""A guide: another detector that shows, at every point of every training picture, what it sees there.

Labels say where objects are; a network that has learned more says also what else a place could be, how sure that is and
where the background looks like something (knowledge distillation: Hinton et al., 2015; on detectors' dense predictions:
Zhang et al., "Learning efficient object detection models with knowledge distillation", 2017). The guide sees the very
picture that the network learns from, varied as it is, which is what makes such matching work (Beyer et al., "Knowledge
distillation: A good teacher is patient and consistent", 2022).

The guide's maps need not have the network's sizes: each of the network's maps takes what the guide's map of the nearest
size says at the same place of the picture.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fusedet.common.errors import InputError
from fusedet.model.checkpoint import load_detector
from fusedet.model.decode import anchor_points, decode_boxes
from fusedet.model.detector import STRIDES, DetectorNet
from fusedet.train.devices.collectives import shared_sum
from fusedet.train.labelling.teachers import DenseMap, PicoDet, open_foreign
from fusedet.train.labelling.teachers.weights import open_folded
from fusedet.train.targets.boxes import box_overlap

__all__ = ["Guidance", "Guide", "guided_box_loss", "open_guide", "with_guidance"]

#: Lower scores of a guide are noise. There are so many of them that together they would pull harder than those that
#: tell something: 2,100 points of 80 classes at 0.01 are 1,680, a dozen objects perhaps 60.
_NOISE = 0.05
#: Points at which a score is at least this high hold something: boxes are learned there, and losses weighed by them.
_SURE = 0.2


class Guidance(NamedTuple):
    """What a batch is to be like.

    Attributes:
        scores: ``[B, C, A]`` in 0..1 for the network's classes; 0 for those that the guide does not know.
        boxes: ``[B, A, 4]`` xyxy in pixels of the network's input.
    """

    scores: Tensor
    boxes: Tensor


class Dense(Protocol):
    """A detector that tells what it sees at each point of its maps."""

    @property
    def names(self) -> Sequence[str]:
        """Its classes."""
        ...

    def dense(self, images_bgr: NDArray[np.uint8]) -> list[DenseMap]:
        """Maps of ``[B, H, W, 3]``, the finest first."""
        ...


class Guide:
    """Turns a detector's maps into the network's.

    Args:
        teacher: the detector.
        names: the network's classes.

    Raises:
        InputError: they have no class in common.
    """

    def __init__(self, teacher: Dense, names: Sequence[str]) -> None:
        self._teacher = teacher
        theirs = {name: i for i, name in enumerate(teacher.names)}
        self._mine = [i for i, name in enumerate(names) if name in theirs]
        self._theirs = [theirs[names[i]] for i in self._mine]
        self._classes = len(names)
        if not self._mine:
            raise InputError(
                f"train.guide knows none of the classes {', '.join(names)}; it knows {', '.join(teacher.names)}"
            )

    @torch.no_grad()
    def look(self, images_bgr: Tensor, size_hw: tuple[int, int]) -> Guidance:
        """What it sees in uint8 ``[B, H, W, 3]``, for a network whose input is ``size_hw``."""
        maps = self._teacher.dense(images_bgr.numpy())
        scores, boxes = [], []
        for stride in STRIDES:
            grid = (size_hw[0] // stride, size_hw[1] // stride)
            nearest = min(maps, key=lambda one: abs(math.log(one.scores.shape[2] / grid[0])))
            scores.append(_resample(nearest.scores, grid).flatten(2))
            boxes.append(_resample(nearest.boxes, grid).flatten(2))
        seen = torch.cat(scores, 2)[:, self._theirs]
        mine = seen.new_zeros(len(seen), self._classes, seen.shape[2])
        mine[:, self._mine] = seen
        corners = torch.cat(boxes, 2).transpose(1, 2)  # [B, A, 4] in 0..1
        return Guidance(mine, corners * torch.tensor([size_hw[1], size_hw[0]]).repeat(2))


def open_guide(path: Path, names: Sequence[str]) -> Guide:
    """The guide that a config names.

    Args:
        path: a checkpoint, or an ONNX file of PicoDet.
        names: the network's classes.

    Raises:
        InputError: the file cannot be used, or cannot guide.
    """
    if path.suffix != ".onnx":
        net, meta = load_detector(path)
        return Guide(NetworkTeacher(net, meta["names"]), names)
    teacher = open_foreign(open_folded(path, torch.get_num_threads()), path, score_threshold=0.0, max_detections=1)
    if not isinstance(teacher, PicoDet):
        raise InputError(
            f"train.guide: {path} is {teacher.format}, which can label pictures, but not guide a training: that takes "
            "a checkpoint of fusedet or a file of PicoDet"
        )
    return Guide(teacher, names)


class NetworkTeacher:
    """One of our own networks: what its one-to-many branch sees.

    Args:
        net: the network; pictures are resized to its input size.
        names: its classes.
    """

    def __init__(self, net: DetectorNet, names: Sequence[str]) -> None:
        self._net, self.names = net.eval().requires_grad_(False), names
        self._size = net.config.input_size
        self._points, self._strides = anchor_points(self._size, STRIDES)

    @torch.no_grad()
    def dense(self, images_bgr: NDArray[np.uint8]) -> list[DenseMap]:
        """See :class:`Dense`."""
        images = torch.from_numpy(images_bgr).permute(0, 3, 1, 2).float()
        if tuple(images.shape[2:]) != self._size:
            images = functional.interpolate(images, self._size, mode="bilinear", align_corners=False)
        output = self._net(images).one_to_many
        boxes = decode_boxes(output.distances.transpose(1, 2), self._points, self._strides)
        boxes = boxes / torch.tensor([self._size[1], self._size[0]]).repeat(2)
        grids = [(self._size[0] // stride, self._size[1] // stride) for stride in STRIDES]
        counts = [rows * columns for rows, columns in grids]
        parts = zip(
            output.logits.sigmoid().split(counts, 2), boxes.transpose(1, 2).split(counts, 2), grids, strict=True
        )
        return [DenseMap(scores.unflatten(2, grid), corners.unflatten(2, grid)) for scores, corners, grid in parts]


def with_guidance(target: Tensor, guidance: Guidance, weight: float) -> tuple[Tensor, Tensor]:
    """What labels and guide together want of the class scores: the higher of both, noise left out.

    For the labels only a few points see an object, for the guide its neighbours do so too.

    Args:
        target: ``[B, C, A]`` that the labels want.
        guidance: see :meth:`Guide.look`.
        weight: part of the guide's scores that counts.

    Returns:
        The target ``[B, C, A]``, and the sum of its best scores where there is something, to weigh the loss by.
    """
    told = guidance.scores * (guidance.scores >= _NOISE)
    both = torch.maximum(target, weight * told)
    best = both.amax(1)
    return both, shared_sum(best[best > _SURE])


def guided_box_loss(predicted: Tensor, guidance: Guidance, overlap: str) -> Tensor:
    """How far boxes are from those of the guide, where it is sure, weighted by its score; a mean in 0..2.

    Args:
        predicted: ``[B, A, 4]`` xyxy in pixels.
        guidance: see :meth:`Guide.look`.
        overlap: kind of overlap, as in :func:`fusedet.train.targets.boxes.box_overlap`.
    """
    sureness = guidance.scores.amax(1)  # [B, A]
    sure = sureness > _SURE
    missing = 1 - box_overlap(predicted[sure], guidance.boxes[sure], overlap)
    return (missing * sureness[sure]).sum() / shared_sum(sureness[sure])


def _resample(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """``[B, N, h, w]`` at the nearest place of another grid: boxes of different objects must not be mixed."""
    return maps if maps.shape[2:] == grid else functional.interpolate(maps, grid, mode="nearest-exact")
