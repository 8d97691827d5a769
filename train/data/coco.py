"""COCO annotations: read once, checked wholly, so that training does not stop over them an hour later."""

import json
import logging
import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.common.plain_json import parse_json
from fusedet.common.text import nearest

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """One image and its objects."""

    image_id: int  # its number in the set, from 1 in the order of the file's own ids, which may be of any size
    path: Path
    width: int  # in pixels, as annotated
    height: int  # in pixels, as annotated
    boxes_xyxy: NDArray[np.float32]  # [N, 4] in pixels of ``width`` x ``height``, clipped to it, none of them empty
    labels: NDArray[np.int64]  # [N]: class indices from 0 without gaps, in the order of ``CocoDataset.names``
    crowd: NDArray[np.bool_]  # [N]: the box is a region of many objects, to be ignored in training and evaluation
    #: [N] in square pixels: the annotated area, which sorts objects into small, medium and large
    areas: NDArray[np.float32]
    #: [N] in 0..1: how sure a detector was that labelled the object; 1 where nothing is said
    scores: NDArray[np.float32]
    source_id: int | None = None  # the image's id in the annotation file; None where it comes from none

    def only(self, keep: NDArray[np.bool_]) -> "Sample":
        """The image with those of its objects that ``keep`` ``[N]`` says."""
        names = ("boxes_xyxy", "labels", "crowd", "areas", "scores")
        return replace(self, **{name: getattr(self, name)[keep] for name in names})


@dataclass(frozen=True)
class CocoDataset:
    """A set of annotated images."""

    names: tuple[str, ...]  # class names, in the order of their category ids
    category_ids: tuple[int, ...]  # the categories' ids in the file, ascending; they may have gaps
    samples: tuple[Sample, ...]  # the images, those without objects too, in the order of the file
    source: Path

    def __str__(self) -> str:
        return f"{self.source} ({len(self.samples)} images)"

    def ground_truth(self) -> dict[str, Any]:
        """The annotations as a clean COCO dictionary for a COCO evaluator.

        Its ids are small numbers from 1: those of images are ``Sample.image_id``, those of categories ``label + 1``. An
        evaluator computes with ids, and what annotation files have there (time stamps, hashes) may be beyond its range.
        """
        annotations: list[dict[str, Any]] = []
        for sample in self.samples:
            boxes_xywh = sample.boxes_xyxy.astype(float)
            boxes_xywh[:, 2:] -= boxes_xywh[:, :2]
            for box, label, crowd, area in zip(boxes_xywh, sample.labels, sample.crowd, sample.areas, strict=True):
                number = len(annotations) + 1
                entry = annotation(number, sample.image_id, int(label) + 1, box.tolist(), float(area))
                annotations.append({**entry, "iscrowd": int(crowd)})
        images = [
            {"id": s.image_id, "file_name": s.path.name, "width": s.width, "height": s.height} for s in self.samples
        ]
        categories = [{"id": i, "name": name} for i, name in enumerate(self.names, start=1)]
        return {"info": {}, "images": images, "categories": categories, "annotations": annotations}


def annotation(number: int, image_id: int, category_id: int, bbox: Sequence[float], area: float) -> dict[str, Any]:
    """An entry of the list ``annotations``; ``bbox`` is ``[x, y, width, height]`` in pixels."""
    return {"id": number, "image_id": image_id, "category_id": category_id, "bbox": bbox, "area": area, "iscrowd": 0}


def load_coco(annotations: Path, images: Path, *, require_boxes: bool = False) -> CocoDataset:
    """Reads and checks COCO annotations (``images``, ``categories``, ``annotations`` with ``bbox``, perhaps ``score``).

    Boxes are clipped to their image. Boxes without an area, and boxes outside their image, are left out and counted in
    one warning. The images themselves are not opened, but all of them must be there. ``require_boxes`` refuses a set
    without a single object. Raises InputError if the file cannot be used; the message names the file and the entry.
    """
    content = read_json(annotations)
    lists = _lists(content, annotations)
    category_ids, names = _categories(lists["categories"], annotations)
    entries = _image_entries(lists["images"], annotations)
    objects = _objects(lists["annotations"], entries.keys(), category_ids, annotations)
    numbers = {image_id: number for number, image_id in enumerate(sorted(entries), start=1)}
    paths = {image_id: images / entry["file_name"] for image_id, entry in entries.items()}
    _check_files(paths.values(), images, annotations)
    samples, dropped = [], 0
    for image_id, entry in entries.items():
        rows = np.array(objects[image_id], np.float64).reshape(-1, 8)
        sample = _sample(numbers[image_id], image_id, paths[image_id], entry, rows)
        dropped += len(rows) - len(sample.labels)
        samples.append(sample)
    if dropped:
        _log.warning("%s: left out %d boxes without an area inside their image", annotations, dropped)
    if require_boxes and not any((~sample.crowd).any() for sample in samples):
        raise InputError(f"{annotations}: training needs objects, but no annotation has a usable box")
    return CocoDataset(names, tuple(category_ids), tuple(samples), annotations)


def read_checked(annotations: Path) -> dict[str, Any]:
    """The content of an annotation file, all of it, once :func:`load_coco` would take it; no image is looked for.

    Raises InputError if the file cannot be used; the message names the file and the entry.
    """
    content: dict[str, Any] = read_json(annotations)
    lists = _lists(content, annotations)
    category_ids, _ = _categories(lists["categories"], annotations)
    _objects(lists["annotations"], _image_entries(lists["images"], annotations), category_ids, annotations)
    return content


def keep_classes(dataset: CocoDataset, names: Iterable[str]) -> CocoDataset:
    """The set with the annotations of some of its classes only, and all of its images. Raises InputError for others."""
    wanted = set(names)
    for name in sorted(wanted - set(dataset.names)):
        known = ", ".join(dataset.names)
        raise InputError(f"{dataset.source}: no class {name!r}{nearest(name, dataset.names)}; its classes are {known}")
    kept = [label for label, name in enumerate(dataset.names) if name in wanted]
    return replace(
        dataset,
        names=tuple(dataset.names[label] for label in kept),
        category_ids=tuple(dataset.category_ids[label] for label in kept),
        samples=tuple(_of_labels(sample, kept) for sample in dataset.samples),
    )


def _of_labels(sample: Sample, kept: list[int]) -> Sample:
    """The objects whose label is in ``kept``, an ascending list; its place there is the new label."""
    sample = sample.only(np.isin(sample.labels, kept))
    return replace(sample, labels=np.searchsorted(kept, sample.labels))


def check_same_categories(train: CocoDataset, val: CocoDataset) -> None:
    """Raises InputError if two sets do not mean the same classes by the same ids; it names the first difference."""
    ours, theirs = (dict(zip(s.category_ids, s.names, strict=True)) for s in (train, val))
    if ours == theirs:
        return
    category_id = min(i for i in ours.keys() | theirs.keys() if ours.get(i) != theirs.get(i))
    here, there = (repr(of[category_id]) if category_id in of else "missing" for of in (theirs, ours))
    raise InputError(
        f"{val.source}: its categories must be those of {train.source}, but category {category_id} is "
        f"{here} here and {there} there"
    )


def read_json(path: Path) -> Any:
    """What an annotation file holds. Raises InputError, with line and column, if it cannot be read or is no JSON."""
    try:
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such annotation file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not JSON: not UTF-8 text at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: broken JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error


def read_section(content: Any, key: str, source: Path) -> list[Any]:
    """The list called ``key`` of a COCO dictionary, whatever its entries are. Raises InputError if there is none."""
    if not isinstance(content, dict):
        raise InputError(f"{source}: expected a COCO dictionary, but the file holds a {type(content).__name__}")
    if key not in content:
        raise InputError(f"{source}: not COCO annotations: the key {key!r} is missing")
    entries = content[key]
    if not isinstance(entries, list):
        raise InputError(f"{source}: {key!r} must be a list, but is a {type(entries).__name__}")
    return entries


def _lists(content: Any, source: Path) -> dict[str, list[dict[str, Any]]]:
    """The three lists of a COCO dictionary, each entry of which is a dictionary; none but ``annotations`` is empty."""
    lists = {key: read_section(content, key, source) for key in ("images", "categories", "annotations")}
    for key, entries in lists.items():
        for position, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise InputError(f"{source}: {key}[{position}] must be a dictionary, but is {entry!r:.60}")
        if not entries and key != "annotations":
            raise InputError(f"{source}: {key!r} is empty")
    return lists


def _integer(entry: dict[str, Any], key: str, what: str, source: Path, least: int | None = None) -> int:
    if key not in entry:
        raise InputError(f"{source}: {what} has no {key!r}")
    value = entry[key]
    if not is_whole(value) or (least is not None and value < least):
        least_text = "" if least is None else f" of at least {least}"
        raise InputError(f"{source}: {what}: {key!r} must be a whole number{least_text}, but is {value!r:.60}")
    return int(value)


def is_whole(value: object) -> TypeGuard[float]:
    """Whether a value of a JSON file is a whole number; 3.0 is one, true is none."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


def _text(entry: dict[str, Any], key: str, what: str, source: Path) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise InputError(f"{source}: {what}: {key!r} must be a text, but is {value!r:.60}")
    return value


def _categories(entries: list[dict[str, Any]], source: Path) -> tuple[list[int], tuple[str, ...]]:
    """Ids in ascending order and the names that belong to them; no two names are equal."""
    names: dict[int, str] = {}
    for position, entry in enumerate(entries):
        category_id = _integer(entry, "id", f"categories[{position}]", source)
        if category_id in names:
            raise InputError(f"{source}: two categories have the id {category_id}")
        names[category_id] = _text(entry, "name", f"category {category_id}", source)
    counts = Counter(names.values())
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        # Some exporters repeat a class as its own parent. Each keeps its id, and needs a name that tells it apart.
        _log.warning("%s: several categories are called %s: their ids are added to the names", source, repeated)
        names = {i: f"{name} ({i})" if counts[name] > 1 else name for i, name in names.items()}
    return sorted(names), tuple(names[i] for i in sorted(names))


def _image_entries(entries: list[dict[str, Any]], source: Path) -> dict[int, dict[str, Any]]:
    """Image id to its checked ``file_name``, ``width`` and ``height``, in the file's order."""
    result: dict[int, dict[str, Any]] = {}
    for position, entry in enumerate(entries):
        image_id = _integer(entry, "id", f"images[{position}]", source)
        what = f"image {image_id}"
        if image_id in result:
            raise InputError(f"{source}: two images have the id {image_id}")
        result[image_id] = {
            "file_name": _text(entry, "file_name", what, source),
            "width": _integer(entry, "width", what, source, least=1),
            "height": _integer(entry, "height", what, source, least=1),
        }
    return result


def _objects(
    entries: list[dict[str, Any]], image_ids: Iterable[int], category_ids: list[int], source: Path
) -> dict[int, list[tuple[float, ...]]]:
    """Image id to its rows ``(x, y, width, height, label, crowd, area, score)``.

    An area that is not given is NaN, a score that is not given 1.
    """
    labels = {category_id: label for label, category_id in enumerate(category_ids)}
    rows: dict[int, list[tuple[float, ...]]] = {image_id: [] for image_id in image_ids}
    for position, entry in enumerate(entries):
        what = f"annotation {entry['id']!s:.60}" if "id" in entry else f"annotations[{position}]"
        image_id, category_id = (_integer(entry, key, what, source) for key in ("image_id", "category_id"))
        if image_id not in rows:
            raise InputError(f"{source}: {what}: there is no image {image_id}")
        if category_id not in labels:
            raise InputError(f"{source}: {what}: there is no category {category_id}")
        box = entry.get("bbox")
        if not isinstance(box, list) or len(box) != 4 or not all(is_number(value) for value in box):
            raise InputError(f"{source}: {what}: 'bbox' must be [x, y, width, height] in pixels, but is {box!r:.60}")
        area = entry.get("area")
        area = area if is_number(area) and area > 0 else math.nan
        score = 1.0 if entry.get("score") is None else entry["score"]
        if not is_number(score) or not 0 <= score <= 1:
            raise InputError(f"{source}: {what}: 'score' must be a number in 0..1, but is {score!r:.60}")
        rows[image_id].append((*box, labels[category_id], is_crowd(entry), area, score))
    return rows


def is_crowd(entry: dict[str, Any]) -> bool:
    """Whether an annotation is of a region of many objects; some tools write 1 as text or as true."""
    return entry.get("iscrowd") in (1, "1", "true", "True")


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value of a JSON file is a number that a pixel coordinate can be."""
    # The comparison also turns NaN, infinities and integers beyond any float away.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e9 < value < 1e9


def _sample(image_id: int, source_id: int, path: Path, entry: dict[str, Any], rows: NDArray[np.float64]) -> Sample:
    """Boxes clipped to the image; those without an area there are left out."""
    width, height = entry["width"], entry["height"]
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], 1)
    boxes = boxes.clip(0, (width, height, width, height)).astype(np.float32)
    sides = boxes[:, 2:] - boxes[:, :2]
    keep = (sides > 0).all(1)
    boxes, sides, rows = boxes[keep], sides[keep], rows[keep]
    areas = np.where(np.isnan(rows[:, 6]), sides.prod(1), rows[:, 6])
    return Sample(
        image_id=image_id,
        path=path,
        width=width,
        height=height,
        boxes_xyxy=boxes,
        labels=rows[:, 4].astype(np.int64),
        crowd=rows[:, 5] > 0,
        areas=areas.astype(np.float32),
        scores=rows[:, 7].astype(np.float32),
        source_id=source_id,
    )


def _check_files(paths: Iterable[Path], folder: Path, source: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of images")
    missing = missing_files(paths)
    if missing:
        count = f"{len(missing)} images are" if len(missing) > 1 else "an image is"
        raise InputError(f"{source}: {count} missing, first {missing[0]!s:.300}")


def missing_files(paths: Iterable[Path]) -> list[Path]:
    """Those that are not there, in their order.

    One listing of each folder instead of a question for each file: this matters on network drives.
    """
    listings: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        parent, name = os.path.split(path)
        if parent not in listings:
            try:
                with os.scandir(parent) as listing:
                    listings[parent] = {file.name for file in listing}
            except (OSError, ValueError):  # ValueError: a NUL in it
                listings[parent] = set()
        # The second look is for file systems that take several spellings of a name for one.
        if name not in listings[parent] and not os.path.exists(path):  # a name may be anything
            missing.append(path)
    return missing
