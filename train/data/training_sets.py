"""What a training learns from and what it is evaluated on: one set each, from all the files that a config names."""

import hashlib
import os
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np

from fusedet.common.errors import InputError
from fusedet.common.text import nearest
from fusedet.configs.layouts import SetFiles, explain
from fusedet.train.config import DataConfig
from fusedet.train.data.coco import CocoDataset, Sample, check_same_categories, keep_classes, load_coco
from fusedet.train.data.split import divide_only_file


def set_files(data: DataConfig) -> tuple[SetFiles, SetFiles]:
    """The files of the training set and of the validation set.

    Raises InputError if the config names none, or there are none in the folder that it names; the message says what
    helps. A folder with one annotation file for all images gets one of each set.
    """
    paths = (data.train_annotations, data.train_images, data.val_annotations, data.val_images)
    if any(path is None for path in paths):
        raise InputError("no data: give data=DIR, a folder with images/ and annotations/{train,val}.json")
    train_annotations, train_images, val_annotations, val_images = (Path(str(path)) for path in paths)
    root = data.root
    if root is not None and not os.path.isdir(root):
        if root in (*train_annotations.parents, *train_images.parents):
            raise InputError(f"data.root: {root}: {_no_folder(root)}")
    elif root is not None:
        own = {root / "annotations" / f"{split}.json" for split in ("train", "val")}
        missing = own & {path for path in (train_annotations, val_annotations) if not os.path.exists(path)}
        if missing and (missing != own or not divide_only_file(root)):
            raise InputError(explain(root))
    return SetFiles(train_annotations, train_images), SetFiles(val_annotations, val_images)


def _no_folder(path: Path) -> str:
    """Why a path is no folder of a data set, and what helps."""
    if not os.path.exists(path):
        return f"expected a folder of images and annotations, but there is none at {path.absolute()}"
    makes = f"fusedet data split {shlex.quote(str(path))} --ratio 80/20 --out my_data/annotations"
    if path.suffix in (".yaml", ".yml"):
        makes = f"fusedet data convert {shlex.quote(str(path.parent))} my_data --from yolo --to coco"
    return f"expected a folder of images and annotations, but this is a file; {makes} makes one of it"


def load_sets(data: DataConfig) -> tuple[CocoDataset, CocoDataset]:
    """The set to learn from, with what ``data.extra_train`` adds, and the validation set, of the same classes.

    Raises InputError if a file is missing or cannot be used, or the classes differ.
    """
    train, val = set_files(data)
    train_set = load_coco(train.annotations, train.images, require_boxes=True)
    val_set = load_coco(val.annotations, val.images)
    check_same_categories(train_set, val_set)
    if data.classes:
        try:
            train_set, val_set = (keep_classes(dataset, data.classes) for dataset in (train_set, val_set))
        except InputError as error:
            raise InputError(f"data.classes: {error}") from None
    for extra in data.extra_train:
        extra_set = load_coco(extra.annotations, extra.images)
        if data.classes:
            extra_set = keep_classes(extra_set, set(data.classes) & set(extra_set.names))
        train_set = join(train_set, extra_set)
    train_set = sort_by_score(train_set, data.min_score, data.ignore_score)
    if not count_objects(train_set)[0]:
        of_classes = " of data.classes" if data.classes else ""
        of_score = f" with a score of data.min_score={data.min_score} or more" if data.min_score else ""
        raise InputError(
            f"{train_set.source}: training needs objects, but there is no annotation{of_classes}{of_score}"
        )
    return train_set, val_set


def annotation_digest(dataset: CocoDataset) -> str:
    """What stands for the images, classes and boxes of a set: another one where any of them has changed."""
    digest = hashlib.blake2b(repr(dataset.names).encode(), digest_size=16)
    for sample in dataset.samples:
        digest.update(repr((sample.path.name, sample.width, sample.height)).encode("utf-8", "surrogatepass"))
        for values in (sample.boxes_xyxy, sample.labels, sample.crowd, sample.scores):
            digest.update(values.tobytes())
    return digest.hexdigest()


def join(first: CocoDataset, second: CocoDataset) -> CocoDataset:
    """One set of both: the classes, their ids and the source are those of ``first``.

    Classes go by name. Images of the second set get new ids, because both may have an image 1. Raises InputError if the
    second set has a class that the first has not.
    """
    for name in second.names:
        if name not in first.names:
            raise InputError(
                f"{second.source}: the class {name!r} is none of {first.source}{nearest(name, first.names)}; "
                f"its classes are {', '.join(first.names)}"
            )
    labels = np.array([first.names.index(name) for name in second.names], np.int64)
    next_id = max(sample.image_id for sample in first.samples) + 1
    samples = [
        replace(sample, image_id=image_id, labels=labels[sample.labels])
        for image_id, sample in enumerate(second.samples, start=next_id)
    ]
    return replace(first, samples=(*first.samples, *samples))


def sort_by_score(dataset: CocoDataset, min_score: float, ignore_score: float) -> CocoDataset:
    """Labels below ``min_score`` become regions to ignore, those below ``ignore_score`` go.

    A label that a detector is not sure of should neither teach an object nor that there is none.
    """
    return replace(dataset, samples=tuple(_sorted(sample, min_score, ignore_score) for sample in dataset.samples))


def count_objects(dataset: CocoDataset) -> tuple[int, int]:
    """Objects, and regions to ignore."""
    regions = sum(int(sample.crowd.sum()) for sample in dataset.samples)
    return sum(len(sample.labels) for sample in dataset.samples) - regions, regions


def _sorted(sample: Sample, min_score: float, ignore_score: float) -> Sample:
    keep = sample.crowd | (sample.scores >= ignore_score)
    return replace(sample, crowd=sample.crowd | (sample.scores < min_score)).only(keep)
