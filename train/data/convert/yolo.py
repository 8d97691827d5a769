"""YOLO: ``data.yaml``, images in ``images/SPLIT``, and for each a text file in ``labels/SPLIT``.

A line is ``class x_middle y_middle width height`` in parts of the image's size; a line of more numbers is a polygon.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from fusedet.common.errors import InputError
from fusedet.common.plain_json import short
from fusedet.train.data.coco import CocoDataset
from fusedet.train.data.convert.sets import LabelledSet, Row, image_names, image_size, make_sample, read_text
from fusedet.train.labelling.folders import copy_file

HOLDS = frozenset[str]()

_log = logging.getLogger(__name__)


def read_yolo(source: Path) -> list[LabelledSet]:
    """The sets that ``data.yaml`` names, or images and labels beside a ``classes.txt``.

    A set but ``train`` that is named and not there, as tools name all three whatever they export, is left out with a
    warning. Raises InputError if there is none, or a file cannot be used; the message names file and line.
    """
    config, settings = _settings(source)
    names = _names(settings, config)
    sets: list[LabelledSet] = []
    for split in ("train", "val", "test"):
        try:
            folders = _folders(settings.get(split), config, settings)
        except InputError as error:
            if not sets:
                raise
            _log.warning("%s; the set %s is left out", error, split)
            continue
        if folders:
            sets.append(_read_set(split, folders, names, config))
    if not sets:
        raise InputError(f"{config}: expected 'train' or 'val' with a folder of images, but there is none")
    return sets


def write_yolo(sets: Sequence[LabelledSet], out: Path, link: bool = False) -> None:
    """Writes the sets; crowd regions, which would become objects, are left out."""
    settings: dict[str, Any] = {one.name: f"images/{one.name}" for one in sets}
    settings["names"] = dict(enumerate(sets[0].dataset.names))
    (out / "data.yaml").write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    for one in sets:
        for sample in one.dataset.samples:
            name = one.file_name(sample)
            copy_file(sample.path, out / "images" / one.name / name, link)
            lines = []
            for box, label, crowd in zip(sample.boxes_xyxy.astype(float), sample.labels, sample.crowd, strict=True):
                if not crowd:
                    left, top, right, bottom = box.tolist()
                    middle = (left + right) / 2 / sample.width, (top + bottom) / 2 / sample.height
                    size = (right - left) / sample.width, (bottom - top) / sample.height
                    lines.append(f"{label} " + " ".join(f"{value:.8f}" for value in (*middle, *size)) + "\n")
            target = (out / "labels" / one.name / name).with_suffix(".txt")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("".join(lines), encoding="utf-8")


def _settings(source: Path) -> tuple[Path, dict[str, Any]]:
    if source.is_dir() and (source / "classes.txt").is_file() and not list(source.glob("*.y*ml")):
        names = read_text(source / "classes.txt").splitlines()
        return source / "classes.txt", {"train": "images", "names": [name for name in names if name]}
    found = [source] if source.is_file() else sorted(source.glob("data.y*ml")) or sorted(source.glob("*.y*ml"))
    if len(found) != 1:
        raise InputError(
            f"{source}: expected a data.yaml (or classes.txt, images/ and labels/), but found {len(found)}"
        )
    text = read_text(found[0])
    try:
        content = yaml.safe_load(text)
    except Exception as error:  # PyYAML ends in many: for a date that is none, a key that is a list, an empty number
        raise InputError(f"{found[0]}: not YAML: {' '.join(str(error).split()):.300}") from error
    if not isinstance(content, dict):
        raise InputError(f"{found[0]}: expected keys like 'train' and 'names', but it holds a {type(content).__name__}")
    return found[0], content


def _names(settings: dict[str, Any], config: Path) -> tuple[str, ...]:
    names = settings.get("names")
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise InputError(f"{config}: 'names' must count from 0 without gaps, but has {short(list(names))}")
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list) or not names:
        raise InputError(f"{config}: 'names' must be a list of class names, but is {short(names)}")
    if not all(isinstance(name, str | int | float) for name in names):
        raise InputError(f"{config}: 'names' must hold texts, but has {short(names)}")
    if len(set(map(str, names))) < len(names):
        raise InputError(f"{config}: 'names' has a name twice")
    return tuple(map(str, names))


def _folders(value: object, config: Path, settings: dict[str, Any]) -> list[Path]:
    """Folders of images, or files that list some, which a key of ``data.yaml`` names."""
    values = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    base = config.parent / str(settings.get("path") or "")
    found = []
    for text in map(str, values):
        # Some exporters write ../train/images for a folder beside the file.
        places = [base / text, config.parent / text, config.parent / text.removeprefix("../")]
        place = next((place for place in places if os.path.exists(place)), None)  # whatever the text is
        if place is None:
            place_text = short(str(places[0]), 200)
            raise InputError(f"{config}: {short(text)}: no such folder or list of images ({place_text})")
        found.append(place)
    return found


def _read_set(split: str, folders: list[Path], names: tuple[str, ...], config: Path) -> LabelledSet:
    paths = [path for folder in folders for path in _images(folder)]
    if not paths:
        raise InputError(f"{folders[0]}: no images there")
    root = (
        folders[0]
        if len(folders) == 1 and folders[0].is_dir()
        else Path(os.path.commonpath([path.parent for path in paths]))
    )
    polygons = 0
    samples = []
    for image_id, path in enumerate(sorted(paths), start=1):
        size = image_size(path)
        rows = []
        for row, is_polygon in _rows(_label_file(path), len(names), size):
            rows.append(row)
            polygons += is_polygon
        samples.append(make_sample(image_id, path, size, rows))
    dataset = CocoDataset(names, tuple(range(1, len(names) + 1)), tuple(samples), config)
    return LabelledSet(split, dataset, root, {"segmentations": polygons} if polygons else {})


def _images(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from (place / name for name in image_names(place))
        return
    for line in read_text(place).splitlines():
        if line.strip():
            path = Path(line.strip())
            yield path if path.is_absolute() else place.parent / path


def _label_file(image: Path) -> Path:
    """The last folder called images becomes labels; else the text lies beside the image."""
    parts = list(image.parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _rows(path: Path, classes: int, size_wh: tuple[int, int]) -> Iterator[tuple[Row, bool]]:
    """Each line's box, and whether it was a polygon. No file means no object."""
    if not path.is_file():
        return
    width, height = size_wh
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        label, values = _numbers(line, f"{path}:{number}", classes)
        if len(values) == 4:
            x, y, w, h = values
            corners = x - w / 2, y - h / 2, x + w / 2, y + h / 2
        else:
            corners = min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
        left, top, right, bottom = corners
        yield Row(label, (left * width, top * height, right * width, bottom * height)), len(values) > 4


def _numbers(line: str, place: str, classes: int) -> tuple[int, list[float]]:
    try:
        label, *values = [float(word) for word in line.split()]
    except ValueError as error:
        raise InputError(f"{place}: expected a class and numbers in 0..1, but found {line!r:.60}") from error
    if not (label.is_integer() and 0 <= label < classes):
        raise InputError(f"{place}: expected a class from 0 to {classes - 1}, but found {line.split()[0]:.60}")
    if not (len(values) == 4 or (len(values) >= 6 and len(values) % 2 == 0)):
        raise InputError(f"{place}: expected 4 numbers of a box or 6 and more of a polygon, but found {len(values)}")
    if not all(-0.1 <= value <= 1.1 for value in values):
        raise InputError(f"{place}: expected numbers in 0..1, but found {line!r:.60}")
    return int(label), values
