"""Which anchor point learns which object: task-aligned assignment (TOOD: Feng et al., 2021, section 3.2)."""

from typing import NamedTuple

import torch
from torch import Tensor

from fusedet.train.data.transforms import CROWD
from fusedet.train.targets.boxes import box_overlap

#: Objects smaller than this take candidates as if they had this side, in pixels: 1.5 times the finest stride, so that
#: every object, however small, has an anchor point to learn at.
MIN_CANDIDATE_SIDE = 12.0
_EPS = 1e-9


class GroundTruth(NamedTuple):
    """The objects of a batch, at most ``M`` in an image."""

    boxes: Tensor  # [B, M, 4] xyxy in pixels of the network's input
    class_ids: Tensor  # int64 [B, M]; negative ones are padding or crowd regions, as in a training's ``Batch``
    weights: Tensor | None = None  # [B, M] in 0..1: part of the quality that a point learns, and of the pull on its box


class Matching(NamedTuple):
    """How objects choose their anchor points."""

    topk: int  # points for each object; 1 gives the one-to-one assignment
    alpha: float  # power of the class score in the alignment
    beta: float  # power of the IoU in the alignment


class Assignment(NamedTuple):
    """Targets of all anchor points."""

    positive: Tensor  # bool [B, A]: the point learns an object
    objects: Tensor  # int64 [B, A]: index of that object among the image's ``M``; 0 where not positive
    quality: Tensor  # [B, A] in 0..1: the class score that the point should give; 0 where not positive
    ignored: Tensor  # bool [B, C, A]: in a crowd region of that class, and learning no object of it


@torch.no_grad()
def assign(
    logits: Tensor,
    predicted: Tensor,
    points: Tensor,
    truth: GroundTruth,
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
        truth: the objects; their weights play no part.
        matching: how many points an object gets, and what counts in choosing them.
        among: an object's points are chosen among those that it has there, where it has any.
    """
    boxes, class_ids = truth.boxes, truth.class_ids
    batch, rows, columns = len(class_ids), class_ids.shape[1], len(points)
    is_object = class_ids >= 0
    # What follows is worked out for the pairs of an object and a point inside it, of which there are few: one of a
    # hundred of all pairs, perhaps.
    images, objects, places = (_inside(points, _grow(boxes)) & is_object[..., None]).nonzero(as_tuple=True)  # [K]
    point, row = images * columns + places, images * rows + objects  # [K]: in the whole batch
    if among is not None:
        theirs = (among.objects.flatten()[point] == objects) & among.positive.flatten()[point]
        has_some = _largest(theirs.int(), row, batch * rows)[row] > 0
        kept = theirs | ~has_some
        images, objects, places, point, row = (x[kept] for x in (images, objects, places, point, row))
    iou = box_overlap(predicted[images, places], boxes[images, objects])
    score = logits[images, class_ids[images, objects], places].sigmoid()
    alignment = score.pow(matching.alpha) * iou.pow(matching.beta)  # [K]

    chosen = (_rank(alignment, row) < matching.topk) & (alignment > 0)
    objects, point, row, iou, alignment = (x[chosen] for x in (objects, point, row, iou, alignment))
    mine = iou == _largest(iou, point, batch * columns)[point]
    mine = _first(objects, point, mine, rows, batch * columns)  # of two objects that overlap it alike, the first
    objects, point, row, iou, alignment = (x[mine] for x in (objects, point, row, iou, alignment))

    # The best point of an object should score as high as the best overlap with it, the others in proportion.
    best, best_iou = (_largest(x, row, batch * rows)[row] for x in (alignment, iou))
    quality = predicted.new_zeros(batch * columns)
    quality[point] = alignment * best_iou / (best + _EPS)
    positive = torch.zeros(batch * columns, dtype=torch.bool, device=class_ids.device)
    positive[point] = True
    learned = torch.zeros_like(positive, dtype=torch.int64)
    learned[point] = objects
    positive, learned, quality = (x.view(batch, columns) for x in (positive, learned, quality))
    ignored = _in_crowds(points, boxes, class_ids, logits.shape[1])
    own = class_ids.clamp(min=0).gather(1, learned)  # [B, A]
    ignored &= ~torch.zeros_like(ignored).scatter_(1, own[:, None], positive[:, None])
    return Assignment(positive, learned, quality, ignored)


def _in_crowds(points: Tensor, boxes: Tensor, class_ids: Tensor, classes: int) -> Tensor:
    """Which points lie in a crowd region of which class: bool ``[B, C, A]``."""
    there = torch.zeros(len(class_ids), classes, len(points), dtype=torch.bool, device=class_ids.device)
    images, regions = (class_ids <= CROWD).nonzero(as_tuple=True)
    inside = _inside(points, boxes[images, regions][:, None])[:, 0]  # [K, A]
    there.index_put_((images, CROWD - class_ids[images, regions]), inside, accumulate=True)
    return there


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


def _rank(values: Tensor, groups: Tensor) -> Tensor:
    """Place of each value in its group, the largest first: ``[K]`` from 0."""
    order = values.argsort(descending=True, stable=True)
    order = order[groups[order].argsort(stable=True)]  # by group, and in each by value
    ordered = groups[order]
    begins = torch.searchsorted(ordered, ordered)  # where each one's group begins
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device) - begins
    return rank


def _largest(values: Tensor, groups: Tensor, count: int) -> Tensor:
    """The largest value of each of ``count`` groups, at least 0."""
    return values.new_zeros(count).scatter_reduce_(0, groups, values, "amax")


def _first(objects: Tensor, points: Tensor, flags: Tensor, rows: int, count: int) -> Tensor:
    """Of the objects whose flag is up at one of ``count`` points, the one with the lowest index: bool ``[K]``."""
    lowest = objects.new_full((count,), rows)
    lowest.scatter_reduce_(0, points[flags], objects[flags], "amin")
    return flags & (lowest[points] == objects)
