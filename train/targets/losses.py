"""What the network is taught: class scores that tell the overlap, boxes that overlap."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from fusedet.model.decode import decode_boxes
from fusedet.model.detector import Predictions
from fusedet.model.head import BranchOutput
from fusedet.train.config import LossConfig
from fusedet.train.devices.collectives import shared_sum
from fusedet.train.targets.assign import Assignment, Matching, assign
from fusedet.train.targets.boxes import box_overlap

__all__ = ["LOSS_NAMES", "BranchLoss", "branch_loss", "detection_loss"]

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
    predictions: Predictions,
    points: Tensor,
    strides: Tensor,
    boxes: Tensor,
    labels: Tensor,
    config: LossConfig,
    weights: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch, averaged over its objects. Among several processes, the average of what they get is that.

    Args:
        predictions: of both branches.
        points: ``[A, 2]`` anchor points in pixels.
        strides: ``[A]``.
        boxes: ``[B, M, 4]`` xyxy in pixels.
        labels: ``[B, M]``; negative ones are padding or crowd regions.
        config: weights of the losses, and settings.
        weights: ``[B, M]`` in 0..1, of the objects: the quality that a point learns is lowered to this part of it, and
            so is the pull on its box. Left out, every object counts in full.

    Returns:
        The scalar to minimise, and its parts by :data:`LOSS_NAMES`, detached.
    """
    targets = (points, strides, boxes, labels, config)
    matching = Matching(config.topk, config.alpha, config.beta)
    many = branch_loss(predictions.one_to_many, *targets, matching, weights)
    # The branches share their boxes, which the one-to-many branch trains: the other one learns which of them to keep.
    # It keeps one of those that do learn the object: another one would never become better.
    single = Matching(1, config.one_to_one_alpha, config.one_to_one_beta)
    one = config.one_to_one * branch_loss(predictions.one_to_one, *targets, single, weights, among=many.assignment).cls
    total = many.total + one
    parts = dict(zip(LOSS_NAMES, (total, many.cls, many.box, many.l1, one), strict=True))
    return total, {name: value.detach() for name, value in parts.items()}


def branch_loss(
    output: BranchOutput,
    points: Tensor,
    strides: Tensor,
    boxes: Tensor,
    labels: Tensor,
    config: LossConfig,
    matching: Matching,
    weights: Tensor | None = None,
    among: Assignment | None = None,
) -> BranchLoss:
    """The loss of one branch; shapes as in :func:`detection_loss`, ``among`` as in :func:`assign`."""
    # Overlaps are differences of large numbers: half precision would lose them.
    logits, distances = output.logits.float(), output.distances.float().transpose(1, 2)  # [B, A, 4]
    predicted = decode_boxes(distances, points, strides)
    assignment = assign(
        logits.detach(),
        predicted.detach(),
        points,
        boxes,
        labels,
        matching,
        among,
    )
    weight_sum = shared_sum(assignment.quality)
    learned = assignment
    if weights is not None:  # not in the sum above: unsure objects would make all else, background too, weigh more
        sureness = weights.gather(1, assignment.objects)  # [B, A]
        assignment = assignment._replace(quality=assignment.quality * sureness)
    class_target = _class_target(logits, labels, assignment, config.label_smoothing)
    cls = config.cls * _class_loss(logits, class_target, assignment.ignored) / weight_sum

    positive, quality = assignment.positive, assignment.quality[assignment.positive]
    if not positive.any():
        return BranchLoss(cls, distances.sum() * 0, distances.sum() * 0, learned)
    target = boxes.gather(1, assignment.objects[..., None].expand(-1, -1, 4))[positive]  # [P, 4]
    overlap = box_overlap(predicted[positive], target, config.iou)
    box = config.box * ((1 - overlap) * quality).sum() / weight_sum
    l1 = config.l1 * (_relative_l1(predicted[positive], target) * quality).sum() / weight_sum
    return BranchLoss(cls, box, l1, learned)


def _class_target(logits: Tensor, labels: Tensor, assignment: Assignment, smoothing: float) -> Tensor:
    """The assignment's quality for the class of each point's object, ``[B, C, A]``."""
    classes = labels.clamp(min=0).gather(1, assignment.objects)  # [B, A]
    target = torch.zeros_like(logits).scatter_(1, classes[:, None], assignment.quality[:, None])
    if smoothing:
        target = target * (1 - smoothing) + smoothing / logits.shape[1] * assignment.positive[:, None]
    return target


def _class_loss(logits: Tensor, target: Tensor, ignored: Tensor) -> Tensor:
    """Binary cross-entropy against the target (TOOD, equation 6 without its focal weight), summed."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * ~ignored).sum()


def _relative_l1(predicted: Tensor, target: Tensor) -> Tensor:
    """Distance of the four sides over the object's own width and height, ``[P]``.

    It pulls where overlap losses are flat, and weighs a pixel of a small object more than one of a large object.
    """
    size = (target[:, 2:] - target[:, :2]).clamp(min=1).repeat(1, 2)
    return ((predicted - target).abs() / size).mean(1)
