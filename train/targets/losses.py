"""The loss: class scores learn the overlap with the object (task-aligned learning), boxes learn to overlap it."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from fusedet.model.decode import Anchors, decode_boxes
from fusedet.model.head import BranchOutput, Predictions
from fusedet.train.config import LossConfig
from fusedet.train.devices.collectives import all_reduce_sum
from fusedet.train.targets.assign import Assignment, GroundTruth, Matching, assign
from fusedet.train.targets.boxes import box_overlap

#: The loss, and the parts that it is the sum of.
LOSS_NAMES = ("loss", "cls", "box", "l1", "one_to_one")


class BranchLoss(NamedTuple):
    """Losses of one branch, weighted; each a scalar. And the points that learned objects."""

    cls: Tensor
    box: Tensor
    l1: Tensor
    assignment: Assignment

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.cls + self.box + self.l1


def detection_loss(
    predictions: Predictions, anchors: Anchors, truth: GroundTruth, config: LossConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch, averaged over its objects. Among several processes, the average of what they get is that.

    Returns the scalar to minimise, and its parts by :data:`LOSS_NAMES`, detached.
    """
    matching = Matching(config.topk, config.alpha, config.beta)
    many = branch_loss(predictions.one_to_many, anchors, truth, config, matching)
    # The branches share their boxes, which the one-to-many branch trains: the other one learns which of them to keep.
    # It keeps one of those that do learn the object: another one would never become better.
    single = Matching(1, config.one_to_one_alpha, config.one_to_one_beta)
    chosen = branch_loss(predictions.one_to_one, anchors, truth, config, single, among=many.assignment)
    one = config.one_to_one * chosen.cls
    total = many.total + one
    parts = dict(zip(LOSS_NAMES, (total, many.cls, many.box, many.l1, one), strict=True))
    return total, {name: value.detach() for name, value in parts.items()}


def branch_loss(
    output: BranchOutput,
    anchors: Anchors,
    truth: GroundTruth,
    config: LossConfig,
    matching: Matching,
    among: Assignment | None = None,
) -> BranchLoss:
    """The loss of one branch: see :func:`detection_loss`; ``matching`` and ``among`` as in :func:`assign`."""
    # Overlaps are differences of large numbers: half precision would lose them.
    logits, distances = output.logits.float(), output.distances.float().transpose(1, 2)  # [B, A, 4]
    predicted = decode_boxes(distances, anchors)
    learned = assign(logits.detach(), predicted.detach(), anchors.points, truth, matching, among)
    quality, positive = learned.quality, learned.positive
    quality_sum = all_reduce_sum(quality)
    if truth.weights is not None:  # not in the sum: unsure objects would make all else, background too, weigh more
        quality = quality * truth.weights.gather(1, learned.objects)  # [B, A]
    class_target = _class_target(logits, truth.class_ids, learned._replace(quality=quality), config.label_smoothing)
    # Binary cross-entropy against the target: TOOD, equation 6 without its focal weight.
    class_loss = functional.binary_cross_entropy_with_logits(logits, class_target, reduction="none")
    cls = config.cls * (class_loss * ~learned.ignored).sum() / quality_sum
    if not positive.any():
        return BranchLoss(cls, distances.sum() * 0, distances.sum() * 0, learned)
    target = truth.boxes.gather(1, learned.objects[..., None].expand(-1, -1, 4))[positive]  # [P, 4]
    overlap = box_overlap(predicted[positive], target, config.iou)
    box = config.box * ((1 - overlap) * quality[positive]).sum() / quality_sum
    l1 = config.l1 * (_relative_l1(predicted[positive], target) * quality[positive]).sum() / quality_sum
    return BranchLoss(cls, box, l1, learned)


def _class_target(logits: Tensor, class_ids: Tensor, assignment: Assignment, smoothing: float) -> Tensor:
    """The assignment's quality for the class of each point's object, ``[B, C, A]``."""
    classes = class_ids.clamp(min=0).gather(1, assignment.objects)  # [B, A]
    target = torch.zeros_like(logits).scatter_(1, classes[:, None], assignment.quality[:, None])
    if smoothing:
        target = target * (1 - smoothing) + smoothing / logits.shape[1] * assignment.positive[:, None]
    return target


def _relative_l1(predicted: Tensor, target: Tensor) -> Tensor:
    """Distance of the four sides over the object's own width and height, ``[P]``.

    It pulls where overlap losses are flat, and weighs a pixel of a small object more than one of a large object.
    """
    size = (target[:, 2:] - target[:, :2]).clamp(min=1).repeat(1, 2)
    return ((predicted - target).abs() / size).mean(1)
