"""Which anchor point learns which object: task-aligned assignment (TOOD: Feng et al., 2021, section 3.2)."""

from typing import NamedTuple

import torch
from torch import Tensor

from fusedet.train.boxes import pairwise_iou
from fusedet.train.dataset import CROWD

__all__ = ["Assignment", "Matching", "assign"]

#: Objects smaller than this take candidates as if they had this side, in pixels: 1.5 times the finest stride, so that
#: every object, however small, has an anchor point to learn at.
MIN_CANDIDATE_SIDE = 12.0
_EPS = 1e-9


class Matching(NamedTuple):
    """How objects choose their anchor points.

    Attributes:
        topk: points for each object; 1 gives the one-to-one assignment.
        alpha: power of the class score in the alignment.
        beta: power of the IoU in the alignment.
    """

    topk: int
    alpha: float
    beta: float


class Assignment(NamedTuple):
    """Targets of all anchor points.

    Attributes:
        positive: bool ``[B, A]``: the point learns an object.
        objects: int64 ``[B, A]``: index of that object among the picture's ``M``; 0 where not positive.
        quality: ``[B, A]`` in 0..1: the class score that the point should give; 0 where not positive.
        ignored: bool ``[B, A]``: the point lies in a crowd region and learns nothing.
    """

    positive: Tensor
    objects: Tensor
    quality: Tensor
    ignored: Tensor


@torch.no_grad()
def assign(
    logits: Tensor,
    predicted: Tensor,
    points: Tensor,
    boxes: Tensor,
    labels: Tensor,
    matching: Matching,
    among: Assignment | None = None,
) -> Assignment:
    """Gives each object the ``matching.topk`` anchor points inside it that predict it best.

    A point's alignment with an object is ``score ** alpha * iou ** beta`` of its own prediction (equation 3). A point
    that two objects want goes to the one that its box overlaps more.

    Args:
        logits: ``[B, C, A]``.
        predicted: ``[B, A, 4]`` xyxy in pixels.
        points: ``[A, 2]`` in pixels.
        boxes: ``[B, M, 4]`` xyxy in pixels.
        labels: ``[B, M]`` class indices; negative ones are padding or crowd regions.
        matching: how many points an object gets, and what counts in choosing them.
        among: an object's points are chosen among those that it has there, where it has any.
    """
    is_object = labels >= 0
    ignored = (_inside(points, boxes) & (labels == CROWD)[..., None]).any(1)
    if not is_object.any():
        nothing = torch.zeros_like(ignored)
        return Assignment(nothing, nothing.long(), nothing.to(predicted.dtype), ignored)
    candidates = _inside(points, _grow(boxes)) & is_object[..., None]  # [B, M, A]
    if among is not None:
        theirs = torch.arange(labels.shape[1], device=labels.device)[:, None] == among.objects[:, None]
        theirs &= among.positive[:, None]  # [B, M, A]
        candidates &= theirs | ~theirs.any(2, keepdim=True)
    iou = pairwise_iou(boxes, predicted) * candidates  # [B, M, A]
    own_class = labels.clamp(min=0)[..., None].expand(-1, -1, logits.shape[2])
    score = logits.gather(1, own_class).sigmoid()  # [B, M, A]
    alignment = score.pow(matching.alpha) * iou.pow(matching.beta) * candidates

    chosen = _top_points(alignment, matching.topk) & candidates
    wanted = chosen.sum(1)  # [B, A]
    if (wanted > 1).any():
        favourite = iou.masked_fill(~chosen, -1).argmax(1)
        chosen &= torch.zeros_like(chosen).scatter_(1, favourite[:, None], True)
    alignment = alignment * chosen

    # The best point of an object should score as high as the best overlap with it, the others in proportion.
    best = alignment.amax(2, keepdim=True)
    best_iou = (iou * chosen).amax(2, keepdim=True)
    quality = (alignment * best_iou / (best + _EPS)).amax(1)
    positive = chosen.any(1)
    return Assignment(positive, chosen.byte().argmax(1), quality, ignored & ~positive)


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """Which points ``[A, 2]`` lie inside which boxes ``[B, M, 4]``: bool ``[B, M, A]``."""
    x, y = points.unbind(-1)
    left, top, right, bottom = (side[..., None] for side in boxes.unbind(-1))
    return (x > left) & (x < right) & (y > top) & (y < bottom)


def _grow(boxes: Tensor) -> Tensor:
    """Boxes enlarged about their centre to at least :data:`MIN_CANDIDATE_SIDE`."""
    centre, half = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) / 2
    half = half.clamp(min=MIN_CANDIDATE_SIDE / 2)
    return torch.cat((centre - half, centre + half), -1)


def _top_points(alignment: Tensor, topk: int) -> Tensor:
    """Bool ``[B, M, A]``: the ``topk`` largest entries of each row."""
    index = alignment.topk(min(topk, alignment.shape[2]), dim=2, sorted=False).indices
    return torch.zeros_like(alignment, dtype=torch.bool).scatter_(2, index, True)
