"""A teacher labels images: its detections become COCO annotations that a training can learn from.

Each annotation says its ``score``, so that a training can tell sure labels from doubtful ones (``data.min_score``).
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fusedet.common.atomic import write_text
from fusedet.common.errors import InputError
from fusedet.common.parallel import map_ahead
from fusedet.common.plain_json import parse_json
from fusedet.common.text import nearest
from fusedet.deploy.camera.sources import IMAGE_SUFFIXES, read_image
from fusedet.deploy.detector.decoding import nms
from fusedet.deploy.detector.detections import Detections, Predictor
from fusedet.train.data.coco import annotation, load_coco
from fusedet.train.data.image_cache import in_batches

#: Overlap of two boxes above which they are one object, where a mapping makes one class of several.
MERGED_IOU = 0.7
#: Images that are read ahead.
_THREADS = 2

_log = logging.getLogger(__name__)


class ImageFile(NamedTuple):
    """An image to label: its id and its name relative to the folder of the images, as the annotations will say."""

    image_id: int
    file_name: str
    path: Path


@dataclass(frozen=True)
class Summary:
    """What was written."""

    images: int  # images, those without objects too
    objects: dict[str, int]  # class name -> boxes
    unreadable: int  # images left out because they could not be read


def find_images(folder: Path) -> list[ImageFile]:
    """The images in a folder and the folders in it, by name, with ids from 1. Raises InputError if there is none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of images")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not paths:
        raise InputError(f"{folder}: no image in this folder (looked for {' '.join(sorted(IMAGE_SUFFIXES))})")
    return [ImageFile(i, path.relative_to(folder).as_posix(), path) for i, path in enumerate(paths, start=1)]


def images_of(annotations: Path, images: Path) -> list[ImageFile]:
    """The images that a COCO file lists, with its ids. Raises InputError if the file cannot be used."""
    samples = load_coco(annotations, images).samples
    ids = [sample.image_id if sample.source_id is None else sample.source_id for sample in samples]
    return [ImageFile(i, s.path.relative_to(images).as_posix(), s.path) for i, s in zip(ids, samples, strict=True)]


def label_images(
    teacher: Predictor,
    image_files: Sequence[ImageFile],
    out: Path,
    *,
    score_threshold: float = 0.3,
    classes: Mapping[str, str] | None = None,
    origin: Mapping[str, str] | None = None,
    batch: int = 8,
    on_batch: Callable[[int], None] = lambda count: None,
) -> Summary:
    """Writes what ``teacher`` finds in ``image_files`` to ``out``, as COCO annotations with a ``score`` each.

    Images are read as training reads them, without the turn that their EXIF data may ask for; one that cannot be
    read is left out. ``out`` is written as a whole, at the end. Until then what is done lies in ``out`` +
    ``.partial``: an interrupted run that is called again with the same settings goes on from there.

    Args:
        teacher: finds objects.
        image_files: to label.
        out: the JSON file; replaced if it exists.
        score_threshold: lowest score that becomes a label, 0..1.
        classes: class of the teacher -> class to write; the others are left out. Left out, all of them as they are.
        origin: what to write about the teacher.
        batch: images for each call of the teacher.
        on_batch: called with the number of images after each batch, and of those that were done before.

    Raises:
        InputError: a setting or a class name is wrong, or the partial file is of another run.
    """
    if not 0 <= score_threshold <= 1:
        raise InputError(f"the score threshold must be in 0..1, but got {score_threshold}")
    mapping = _Mapping(teacher.names, classes)
    settings = {"origin": dict(origin or {}), "score_threshold": score_threshold, "classes": mapping.names_by_theirs}
    partial = out.with_name(out.name + ".partial")
    with _Journal(partial, settings) as journal:
        todo = [image_file for image_file in image_files if image_file.file_name not in journal.rows]
        on_batch(len(image_files) - len(todo))
        for group in in_batches(map_ahead(_read, todo, _THREADS), batch):
            detections = teacher.batch([image for _, image in group if image is not None])
            found = (mapping(one[one.scores >= score_threshold]) for one in detections)
            journal.add([_row(file, image, None if image is None else next(found)) for file, image in group])
            on_batch(len(group))
    rows = [journal.rows[image_file.file_name] for image_file in image_files]
    content, summary = _as_coco(image_files, rows, mapping.names, settings)
    write_text(out, json.dumps(content) + "\n")
    partial.unlink()
    return summary


class _Mapping:
    """From the teacher's classes to those that are written: ``names``, in the order in which they are first named."""

    def __init__(self, theirs: Sequence[str], classes: Mapping[str, str] | None) -> None:
        self.names_by_theirs = dict(classes) if classes is not None else {name: name for name in theirs}
        for name in self.names_by_theirs:
            if name not in theirs:
                raise InputError(f"the teacher knows no class {name!r}{nearest(name, theirs)}")
        self.names = tuple(dict.fromkeys(self.names_by_theirs.values()))
        self._merges = len(self.names) < len(self.names_by_theirs)
        places = {name: self.names.index(written) for name, written in self.names_by_theirs.items()}
        self._index = np.array([places.get(name, -1) for name in theirs], np.int64)

    def __call__(self, detections: Detections) -> Detections:
        """The detections of wanted classes, highest score first, each box once."""
        ids = self._index[detections.class_ids]
        mapped = Detections(detections.boxes_xyxy, detections.scores, np.maximum(ids, 0), self.names)[ids >= 0]
        # A box that its detector gives two classes is one object, whose best class counts.
        mapped = mapped[np.sort(np.unique(mapped.boxes_xyxy, axis=0, return_index=True)[1])]
        if self._merges:  # what was a car and a truck at one place is one vehicle
            mapped = mapped[nms(mapped.boxes_xyxy, mapped.scores, mapped.class_ids, MERGED_IOU)]
        return mapped


class _Journal:
    """What has been labelled so far: a first line with the settings, then a line of JSON for each image."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self._path, self._settings = path, settings
        lines = list(_whole_lines(path)) if path.exists() else []
        if lines and lines[0] != settings:
            raise InputError(f"{path}: begun with other settings; delete it to start anew, or repeat them to go on")
        self.rows = {row["file_name"]: row for row in lines[1:]}

    def __enter__(self) -> "_Journal":
        # Written anew: a line that was cut off by a sudden end would spoil the next one.
        write_text(self._path, "".join(map(_line, [self._settings, *self.rows.values()])))
        self._file = self._path.open("ab", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Keeps the lines of some more images. Raises OSError, with the file's name, if the disk takes no more."""
        text = memoryview("".join(map(_line, rows)).encode())
        try:
            while text:
                text = text[self._file.write(text) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        self.rows.update({row["file_name"]: row for row in rows})


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a journal up to one that was not written to its end."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        try:
            row = parse_json(line)
        except ValueError:
            return
        if not line.endswith("\n") or not isinstance(row, dict):
            return
        yield row


def _read(image_file: ImageFile) -> tuple[ImageFile, NDArray[np.uint8] | None]:
    try:
        return image_file, read_image(image_file.path, upright=False)
    except InputError as error:
        _log.warning("left out: %s", error)
        return image_file, None


def _row(image_file: ImageFile, image: NDArray[np.uint8] | None, found: Detections | None) -> dict[str, Any]:
    if image is None or found is None:
        return {"file_name": image_file.file_name}
    boxes = found.boxes_xyxy.astype(float)
    boxes[:, 2:] -= boxes[:, :2]
    objects = [
        [int(class_id), *(round(side, 2) for side in box.tolist()), round(float(score), 4)]
        for class_id, box, score in zip(found.class_ids, boxes, found.scores, strict=True)
    ]
    height, width = image.shape[:2]
    return {"file_name": image_file.file_name, "width": width, "height": height, "objects": objects}


def _as_coco(
    image_files: Sequence[ImageFile], rows: Sequence[dict[str, Any]], names: Sequence[str], settings: dict[str, Any]
) -> tuple[dict[str, Any], Summary]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    counts = dict.fromkeys(names, 0)
    for image_file, row in zip(image_files, rows, strict=True):
        if "objects" not in row:
            continue
        images.append({"id": image_file.image_id, **{key: row[key] for key in ("file_name", "width", "height")}})
        for class_id, *box, score in row["objects"]:
            counts[names[class_id]] += 1
            number, area = len(annotations) + 1, round(box[2] * box[3], 2)
            annotations.append({**annotation(number, image_file.image_id, class_id + 1, box, area), "score": score})
    content = {
        "info": {"description": "labels by a detector, not by people", **settings},
        "images": images,
        "categories": [{"id": i, "name": name} for i, name in enumerate(names, start=1)],
        "annotations": annotations,
    }
    return content, Summary(len(images), counts, len(image_files) - len(images))
