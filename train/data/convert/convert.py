"""A conversion: read, write, read what was written, and say what the new form could not hold."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fusedet.common.errors import InputError
from fusedet.train.data.convert import coco, openimages, voc, yolo
from fusedet.train.data.convert.sets import LabelledSet
from fusedet.train.data.doctor.checks.header import read_header
from fusedet.train.labelling.folders import check_free, whole_folder


class _Format(NamedTuple):
    """How to read and write a form, and what it says beside classes and boxes."""

    read: Callable[[Path], list[LabelledSet]]
    write: Callable[[Sequence[LabelledSet], Path, bool], None]
    holds: frozenset[str]


FORMATS = {
    "coco": _Format(coco.read_coco, coco.write_coco, coco.HOLDS),
    "yolo": _Format(yolo.read_yolo, yolo.write_yolo, yolo.HOLDS),
    "voc": _Format(voc.read_voc, voc.write_voc, voc.HOLDS),
    "openimages": _Format(openimages.read_openimages, openimages.write_openimages, openimages.HOLDS),
}


@dataclass(frozen=True)
class Conversion:
    """What became of the sets."""

    images: dict[str, int]  # set -> how many
    boxes: dict[str, int]  # set -> how many that were written, crowd regions too where the form holds them
    lost: dict[str, int]  # what the new form cannot hold -> how often it was there
    turned: int  # images that EXIF turns when they are shown; their boxes are taken as those of the stored image
    error_px: float  # largest difference of a box side between what was read and what was written, read again


def convert(
    source: Path, out: Path, read_as: str, write_as: str, *, link: bool = False, one_based: bool = False
) -> Conversion:
    """Converts all sets of a folder, images included.

    Args:
        source: folder of the data set, or YOLO's YAML file.
        out: folder to make.
        read_as: form of ``source``, one of :data:`FORMATS`.
        write_as: form of ``out``.
        link: hard links to the images in the place of copies.
        one_based: the boxes of VOC count pixels from 1, and whole ones.

    Raises:
        InputError: ``source`` cannot be used, or ``out`` holds something already.
    """
    check_free(out)
    formats = dict(FORMATS)
    if one_based:
        write_voc = partial(voc.write_voc, one_based=True)
        formats["voc"] = formats["voc"]._replace(read=partial(voc.read_voc, one_based=True), write=write_voc)
    old, new = formats[read_as], formats[write_as]
    sets = old.read(source)
    if not any(one.dataset.samples for one in sets):
        raise InputError(f"{source}: there is no image in it")
    with whole_folder(out) as made:
        new.write(sets, made, link)
        again = new.read(made)
    keeps_crowd = "crowd regions" in new.holds
    return Conversion(
        images={one.name: len(one.dataset.samples) for one in sets},
        boxes={one.name: sum(int((keeps_crowd | ~s.crowd).sum()) for s in one.dataset.samples) for one in sets},
        lost=_lost(sets, new.holds),
        turned=sum(read_header(sample.path).orientation > 1 for one in sets for sample in one.dataset.samples),
        error_px=_largest_error(sets, again, keeps_crowd),
    )


def _lost(sets: Sequence[LabelledSet], holds: frozenset[str]) -> dict[str, int]:
    counts = Counter[str]()
    for one in sets:
        counts.update(one.extras)
        counts["crowd regions"] += sum(int(sample.crowd.sum()) for sample in one.dataset.samples)
        counts["scores"] += sum(int((sample.scores < 1).sum()) for sample in one.dataset.samples)
    return {what: count for what, count in counts.items() if count and what not in holds}


def _largest_error(sets: Sequence[LabelledSet], again: Sequence[LabelledSet], keeps_crowd: bool) -> float:
    """Over the boxes of each image, in their order. Raises AssertionError if an image, a box or a class got lost."""
    largest = 0.0
    for one, other in zip(sets, again, strict=True):
        ours = {one.file_name(sample): sample for sample in one.dataset.samples}
        for sample in other.dataset.samples:
            name = other.file_name(sample)
            mine = ours[name] if name in ours else ours[name.removeprefix(f"{one.name}/")]
            keep = np.ones(len(mine.labels), np.bool_) if keeps_crowd else ~mine.crowd
            assert len(sample.labels) == keep.sum(), f"{name}: boxes got lost"
            assert [other.dataset.names[i] for i in sample.labels] == [one.dataset.names[i] for i in mine.labels[keep]]
            if len(sample.labels):
                largest = max(largest, float(np.abs(sample.boxes_xyxy - mine.boxes_xyxy[keep]).max()))
    return largest
