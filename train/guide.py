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

from fusedet.configs.errors import InputError
from fusedet.deploy.session import open_session
from fusedet.model.checkpoint import load_detector
from fusedet.model.decode import anchor_points, decode_boxes
from fusedet.model.detector import STRIDES, DetectorNet
from fusedet.model.head import BranchOutput
from fusedet.train.boxes import box_overlap
from fusedet.train.config import LossConfig
from fusedet.train.teachers import DenseMap, PicoDet, open_foreign

__all__ = ["Guidance", "Guide", "guide_loss", "open_guide"]

#: Boxes are learned where the guide is at least this sure that there is something.
_SURE = 0.2


class Guidance(NamedTuple):
    """What a batch is to be like.

    Attributes:
        scores: ``[B, C, A]`` in 0..1 for the network's classes; 0 for those that the guide does not know.
        boxes: ``[B, A, 4]`` xyxy in pixels of the network's input.
        known: bool ``[C]``: the guide knows the class.
    """

    scores: Tensor
    boxes: Tensor
    known: Tensor


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
        self._known = torch.tensor([name in theirs for name in names])
        self._theirs = torch.tensor([theirs.get(name, 0) for name in names])
        if not self._known.any():
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
        mine = torch.cat(scores, 2)[:, self._theirs] * self._known[:, None]
        corners = torch.cat(boxes, 2).transpose(1, 2)  # [B, A, 4] in 0..1
        return Guidance(mine, corners * torch.tensor([size_hw[1], size_hw[0]]).repeat(2), self._known)


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
    teacher = open_foreign(open_session(path, torch.get_num_threads()), path, score_threshold=0.0, max_detections=1)
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


def guide_loss(output: BranchOutput, guidance: Guidance, points: Tensor, strides: Tensor, config: LossConfig) -> Tensor:
    """How far the one-to-many branch is from what the guide sees, weighted by ``config.guide``.

    Class scores are compared at every point, background too; boxes where the guide is sure, in proportion to its score.

    Args:
        output: of the branch.
        guidance: see :meth:`Guide.look`.
        points: ``[A, 2]`` anchor points in pixels.
        strides: ``[A]``.
        config: weights of the losses, and the overlap.
    """
    logits, distances = output.logits.float(), output.distances.float().transpose(1, 2)
    sureness = guidance.scores.amax(1)  # [B, A]
    weight_sum = sureness[sureness > _SURE].sum().clamp(min=1)
    target = guidance.scores
    # Less the target's own entropy: 0 where both agree.
    excess = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    excess = excess - functional.binary_cross_entropy(target, target, reduction="none")
    cls = (excess * guidance.known[:, None]).sum() / weight_sum
    sure = sureness > _SURE
    predicted = decode_boxes(distances, points, strides)[sure]
    overlap = box_overlap(predicted, guidance.boxes[sure], config.iou)
    box = ((1 - overlap) * sureness[sure]).sum() / weight_sum
    return config.guide * (config.cls * cls + config.box * box)


def _resample(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """``[B, N, h, w]`` at the nearest place of another grid: boxes of different objects must not be mixed."""
    return maps if maps.shape[2:] == grid else functional.interpolate(maps, grid, mode="nearest-exact")
