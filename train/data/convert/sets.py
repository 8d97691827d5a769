"""What a conversion passes from one form to another: images, boxes and classes, and a count of what else there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources import IMAGE_SUFFIXES, read_image
from fusedet.train.data.coco import CocoDataset, Sample
from fusedet.train.data.doctor.checks.header import read_header


@dataclass(frozen=True)
class LabelledSet:
    """One set on its way."""

    name: str  # ``train``, ``val`` or ``test``
    dataset: CocoDataset
    images: Path  # folder of the images; their names relative to it are kept
    #: what the source says beyond that -> how often. Crowd regions and scores are in the samples.
    extras: Mapping[str, int] = field(default_factory=dict)

    def file_name(self, sample: Sample) -> str:
        """Name of an image relative to the folder, with ``/``."""
        return sample.path.relative_to(self.images).as_posix()


def read_text(path: Path) -> str:
    """A text file that anybody may have written. Raises InputError if it cannot be read or is not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: not text in UTF-8") from error


@dataclass(frozen=True)
class Row:
    """One box as a format says it: class index, corners in pixels, whether it is a region of many, and a score."""

    label: int
    box_xyxy: tuple[float, float, float, float]
    crowd: bool = False
    score: float = 1.0


def make_sample(image_id: int, path: Path, size_wh: tuple[int, int], rows: Sequence[Row]) -> Sample:
    """A sample whose boxes are clipped to the image; those without an area there are left out."""
    width, height = size_wh
    boxes = np.array([row.box_xyxy for row in rows], np.float64).reshape(-1, 4).clip(0, (width, height, width, height))
    keep = np.asarray((boxes[:, 2:] > boxes[:, :2]).all(1))
    boxes, kept = boxes[keep], [row for row, good in zip(rows, keep.tolist(), strict=True) if good]
    return Sample(
        image_id=image_id,
        path=path,
        width=width,
        height=height,
        boxes_xyxy=boxes.astype(np.float32),
        labels=np.array([row.label for row in kept], np.int64),
        crowd=np.array([row.crowd for row in kept], np.bool_),
        areas=(boxes[:, 2:] - boxes[:, :2]).prod(1).astype(np.float32),
        scores=np.array([row.score for row in kept], np.float32),
    )


def image_names(folder: Path) -> list[str]:
    """Names of the images in a folder and the folders in it, sorted, relative to it."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def image_size(path: Path) -> tuple[int, int]:
    """Stored width and height of an image in pixels. Raises InputError if the file cannot be read or is none."""
    try:
        header = read_header(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if header.size_wh is not None:
        return header.size_wh
    height, width = read_image(path, upright=False).shape[:2]
    return width, height


def prefixes(sets: Sequence[LabelledSet]) -> dict[str, str]:
    """What goes before the names of each set's images in one folder: nothing, or where one is there twice the set's."""
    names = [one.file_name(sample) for one in sets for sample in one.dataset.samples]
    return {one.name: "" if len(set(names)) == len(names) else f"{one.name}/" for one in sets}
