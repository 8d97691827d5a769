"""Open Images: ``SPLIT-annotations-bbox.csv`` in parts of the image's size, ``class-descriptions-boxable.csv``.

The images lie in folders called train, validation and test, and are known by their names without the ending.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fusedet.common.errors import InputError
from fusedet.common.plain_json import short
from fusedet.train.data.coco import CocoDataset
from fusedet.train.data.convert.sets import LabelledSet, Row, image_names, image_size, make_sample, read_text
from fusedet.train.labelling.folders import copy_file

#: A group of more than five objects that touch (``IsGroupOf``) is what COCO calls a crowd.
HOLDS = frozenset({"crowd regions", "scores"})

_TABLE, _CLASSES = "annotations-bbox.csv", "class-descriptions-boxable.csv"
_THEIR_NAME = {"train": "train", "val": "validation", "test": "test"}
_EDGES = ("XMin", "XMax", "YMin", "YMax")
_FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")
_COLUMNS = ("ImageID", "Source", "LabelName", "Confidence", *_EDGES, *_FLAGS)


def read_openimages(source: Path) -> list[LabelledSet]:
    """The sets of a folder; images that a table does not name have no objects.

    Raises InputError if there is none, or a file cannot be used; the message names file and line.
    """
    tables = {
        split: next(iter(sorted(source.glob(f"*{theirs}*{_TABLE}"))), None) for split, theirs in _THEIR_NAME.items()
    }
    found = {split: table for split, table in tables.items() if table is not None}
    if not found:
        raise InputError(f"{source}: expected train-{_TABLE} or validation-{_TABLE}, but there is none")
    display = _display_names(source)
    rows = {split: _read_table(table) for split, table in found.items()}
    used = dict.fromkeys(row["LabelName"] for table in rows.values() for row in table)
    names = [*display.values(), *(label for label in used if label not in display)]
    index = {label: names.index(display.get(label, label)) for label in {*display, *used}}
    return [_as_set(split, source, found[split], rows[split], names, index) for split in found]


def write_openimages(sets: Sequence[LabelledSet], out: Path, link: bool = False) -> None:
    """Writes the sets; the classes' own names stand in the place of Open Images' codes."""
    with (out / _CLASSES).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((name, name) for name in sets[0].dataset.names)
    for one in sets:
        theirs = _THEIR_NAME.get(one.name, one.name)
        seen: dict[str, str] = {}
        with (out / f"{theirs}-{_TABLE}").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            for sample in one.dataset.samples:
                name = one.file_name(sample)
                image_id = Path(name).with_suffix("").as_posix()
                if seen.setdefault(image_id, name) != name:
                    raise InputError(f"{sample.path}: Open Images knows images without ending, as {seen[image_id]}")
                copy_file(sample.path, out / theirs / name, link)
                for box, label, crowd, score in zip(
                    sample.boxes_xyxy.astype(float), sample.labels, sample.crowd, sample.scores, strict=True
                ):
                    edges = box[[0, 2, 1, 3]] / (sample.width, sample.width, sample.height, sample.height)
                    what = (image_id, "fusedet", one.dataset.names[label], f"{score:.6g}")
                    writer.writerow((*what, *(f"{edge:.8f}" for edge in edges), 0, 0, int(crowd), 0, 0))


def _display_names(source: Path) -> dict[str, str]:
    """Code of a class -> its name, in the order of the file."""
    files = sorted(source.glob("*class-descriptions*.csv"))
    if not files:
        return {}
    with _table(files[0]) as text:
        rows = [row for row in csv.reader(text) if len(row) >= 2]
    return {row[0]: row[1] for row in rows if row[0] != "LabelName"}


@contextmanager
def _table(path: Path) -> Iterator[io.StringIO]:
    try:
        yield io.StringIO(read_text(path), newline="")
    except csv.Error as error:
        raise InputError(f"{path}: not a table with commas: {error}") from error


def _read_table(path: Path) -> list[dict[str, str]]:
    with _table(path) as text:
        reader = csv.DictReader(text)
        missing = {"ImageID", "LabelName", *_EDGES} - set(reader.fieldnames or ())
        if missing:
            raise InputError(f"{path}:1: the columns {', '.join(sorted(missing))} are missing")
        rows = [{**row, "line": str(reader.line_num)} for row in reader]
    for row in rows:
        if None in row.values():
            raise InputError(f"{path}:{row['line']}: expected {len(reader.fieldnames or ())} columns, but found fewer")
    return rows


def _as_set(
    split: str, source: Path, table: Path, rows: list[dict[str, str]], names: list[str], index: dict[str, int]
) -> LabelledSet:
    theirs = _THEIR_NAME[split]
    places = [source / theirs, source / "images" / theirs, source / split, source / "images"]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise InputError(f"{source}: expected the images in {theirs}/, but there is no such folder")
    by_image: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_image.setdefault(row["ImageID"], []).append(row)
    images = {Path(name).with_suffix("").as_posix(): name for name in image_names(folder)}
    lost = [image_id for image_id in by_image if image_id not in images]
    if lost:
        raise InputError(f"{table}: {len(lost)} images are not in {folder}, first {lost[0]:.100}")
    samples = []
    for number, (image_id, name) in enumerate(images.items(), start=1):
        size = image_size(folder / name)
        boxes = [_row(row, size, index, table) for row in by_image.get(image_id, [])]
        samples.append(make_sample(number, folder / name, size, boxes))
    dataset = CocoDataset(tuple(names), tuple(range(1, len(names) + 1)), tuple(samples), table)
    flags = sum(row.get(flag) == "1" for row in rows for flag in _FLAGS if flag != "IsGroupOf")
    return LabelledSet(split, dataset, folder, {"flags such as IsOccluded": flags} if flags else {})


def _row(row: dict[str, str], size_wh: tuple[int, int], index: dict[str, int], table: Path) -> Row:
    try:
        left, right, top, bottom = (float(row[edge]) for edge in _EDGES)
        score = float(row.get("Confidence") or 1)
    except ValueError as error:
        raise InputError(f"{table}:{row['line']}: expected numbers in 0..1, but found {short(row, 300)}") from error
    width, height = size_wh
    box = (left * width, top * height, right * width, bottom * height)
    return Row(index[row["LabelName"]], box, row.get("IsGroupOf") == "1", min(1.0, max(0.0, score)))
