"""Evaluates a network on data that knows other classes, or the same in another order: classes go by their names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.common.text import nearest
from fusedet.deploy.detector.detections import Detections, Predictor
from fusedet.deploy.detector.formats.coco_names import are_numbers
from fusedet.train.data.coco import CocoDataset, keep_classes


@dataclass(frozen=True)
class _Renumbered:
    """A predictor whose detections have the class ids of the data."""

    predictor: Predictor
    names: tuple[str, ...]  # of the data's classes
    class_ids: NDArray[np.int64]  # [classes of the network]: the data's class of each; -1 where it has none

    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections of the data's classes in each image, in its own pixels."""
        renumbered = []
        for found in self.predictor.batch(images_bgr):
            class_ids = self.class_ids[found.class_ids]
            renumbered.append(replace(found[class_ids >= 0], class_ids=class_ids[class_ids >= 0], names=self.names))
        return renumbered


def by_name(predictor: Predictor, dataset: CocoDataset) -> Predictor:
    """The predictor as the data's classes need it: itself where they are the network's.

    A file of another project may not name its classes; they are the data's then, if there are as many. Raises
    InputError if the data has a class that the network has not.
    """
    names, wanted = tuple(predictor.names), dataset.names
    if names == wanted:
        return predictor
    if are_numbers(names) and len(names) == len(wanted):
        return _Renumbered(predictor, wanted, np.arange(len(names)))
    refuse_unknown(names, dataset)
    return _Renumbered(predictor, wanted, np.array([wanted.index(name) if name in wanted else -1 for name in names]))


def refuse_unknown(names: Sequence[str], dataset: CocoDataset) -> None:
    """Raises InputError where the data has a class that is none of ``names``, those of a network."""
    for name in dataset.names:
        if name not in names:
            has = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise InputError(
                f"{dataset.source}: its class {name!r} is none of the {len(names)} that the model was trained on "
                f"({has}){nearest(name, names)}"
            )


def known_to(predictor: Predictor, dataset: CocoDataset) -> CocoDataset:
    """The data as a network sees it that was trained on a part of their classes: without the others.

    Data that lack one of the network's classes stay as they are: who has other classes may call the same ones by other
    names.
    """
    names = set(predictor.names)
    return keep_classes(dataset, names) if names < set(dataset.names) else dataset


def left_out(predictor: Predictor, dataset: CocoDataset) -> list[str]:
    """Classes of a network that the data has none of; empty where its classes have no names."""
    return [] if are_numbers(predictor.names) else [name for name in predictor.names if name not in dataset.names]
