"""An annotation file as it is, faults included: what a rule can look at without stumbling over the other faults."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from fusedet.common.errors import InputError
from fusedet.configs.layouts import SPLITS, SetFiles, explain, find_sets, image_folder
from fusedet.train.data.coco import is_crowd, is_number, is_whole, read_json, read_section
from fusedet.train.data.doctor.finding import Finding

#: A side of an image in pixels is shorter than this.
_LONGEST = 10**9


@dataclass(frozen=True, eq=False)
class Category:
    """An entry of ``categories``; what it does not say properly is None."""

    position: int
    raw: dict[str, Any]
    key: Hashable
    name: str | None


@dataclass(frozen=True, eq=False)
class Object:
    """An entry of ``annotations``."""

    position: int
    raw: dict[str, Any]
    image: "Image | None"  # the image that it belongs to; None where there is no such image
    category: Category | None  # its class; None where there is no such class
    box_xywh: tuple[float, float, float, float] | None  # four finite numbers as they stand there, or None

    @property
    def crowd(self) -> bool:
        """Whether it is a region of many objects."""
        return is_crowd(self.raw)


@dataclass(frozen=True, eq=False)
class Image:
    """An entry of ``images``; what it does not say properly is None."""

    position: int
    raw: dict[str, Any]
    key: Hashable  # what annotations call it
    file_name: str | None  # relative to the folder of images
    size_wh: tuple[int, int] | None  # annotated width and height in pixels
    objects: list[Object] = field(default_factory=list)  # what is in it


class Match(NamedTuple):
    """What was found for a name that leads nowhere."""

    file: str  # name of the file relative to the folder of images, with ``/``; "" where none can be told
    how: str  # the rule that found it, or why none did, in words


@dataclass(frozen=True, eq=False)
class Split:
    """One annotation file and its folder of images."""

    name: str  # ``train``, ``val``, ...
    annotations: Path
    image_folder: Path  # what the file names are relative to
    content: dict[str, Any]  # the whole file; nobody writes into it
    #: position of an image whose name leads nowhere -> what may be meant: see
    #: :func:`fusedet.train.data.doctor.paths.match_files`
    matches: dict[int, Match] = field(default_factory=dict)

    @cached_property
    def categories(self) -> list[Category]:
        """The entries that are dictionaries."""
        return [
            Category(i, entry, _key(entry.get("id")), _text(entry.get("name")))
            for i, entry in enumerate(self.content["categories"])
            if isinstance(entry, dict)
        ]

    @cached_property
    def _images_and_objects(self) -> tuple[list[Image], list[Object]]:
        images = [
            Image(i, entry, _key(entry.get("id")), _file_name(entry.get("file_name")), _size(entry))
            for i, entry in enumerate(self.content["images"])
            if isinstance(entry, dict)
        ]
        by_key = {image.key: image for image in reversed(images) if image.key is not None}
        classes = {category.key: category for category in reversed(self.categories) if category.key is not None}
        objects = []
        for i, entry in enumerate(self.content["annotations"]):
            if isinstance(entry, dict):
                image = by_key.get(_key(entry.get("image_id")))
                found = Object(i, entry, image, classes.get(_key(entry.get("category_id"))), _box(entry.get("bbox")))
                objects.append(found)
                if image is not None:
                    image.objects.append(found)
        return images, objects

    @property
    def images(self) -> list[Image]:
        """The entries of ``images`` that are dictionaries, with their objects."""
        return self._images_and_objects[0]

    @property
    def objects(self) -> list[Object]:
        """The entries of ``annotations`` that are dictionaries."""
        return self._images_and_objects[1]

    def path(self, image: Image) -> Path | None:
        """Where the image lies, or where what its name seems to mean does."""
        name = self.file(image)
        return None if name is None else self.image_folder / name

    def file(self, image: Image) -> str | None:
        """Its name relative to the folder of images: its own, or of the file that this seems to mean."""
        match = self.matches.get(image.position)
        return match.file if match is not None and match.file else image.file_name

    def about_image(
        self, kind: str, image: Image, expected: str, found: str, other: tuple[str, int] | None = None
    ) -> Finding:
        """A finding at an image."""
        where = image.file_name or "", image.raw.get("id"), None, "images", image.position
        return Finding(kind, self.name, expected, found, *where, other)

    def about_object(self, kind: str, thing: Object, expected: str, found: str) -> Finding:
        """A finding at an annotation."""
        file = thing.image.file_name if thing.image is not None else None
        ids = thing.raw.get("image_id"), thing.raw.get("id")
        return Finding(kind, self.name, expected, found, file or "", *ids, "annotations", thing.position)

    def about_category(self, kind: str, category: Category, expected: str, found: str) -> Finding:
        """A finding at a class."""
        return replace(self.about_all(kind, expected, found), section="categories", position=category.position)

    def about_all(self, kind: str, expected: str, found: str) -> Finding:
        """A finding at the set as a whole."""
        return Finding(kind, self.name, expected, found, self.annotations.name)


def read_split(name: str, annotations: Path, images: Path) -> Split:
    """Opens an annotation file. Raises InputError if it is no JSON file with the three lists of COCO annotations."""
    content = read_json(annotations)
    for key in ("images", "categories", "annotations"):
        entries = read_section(content, key, annotations)
        if not entries and key != "annotations":
            raise InputError(f"{annotations}: {key!r} is empty")
    return Split(name, annotations, images, content)


def find_files(data: Path) -> dict[str, SetFiles]:
    """Name of each set -> its files, of a folder or of one annotation file. Raises InputError if it cannot be told."""
    if data.is_file():
        stem = data.stem.lower()
        name = next((name for name in SPLITS if name in stem), data.stem)
        return {name: SetFiles(data, image_folder(data))}
    found = find_sets(data)
    if not found:
        hint = f": {explain(data)}" if data.is_dir() else ""
        raise InputError(f"{data}: expected a COCO annotation file, or a folder with annotations/train.json{hint}")
    return found


def open_splits(data: Path) -> list[Split]:
    """The sets of a folder, or of one annotation file. Raises InputError if there is none, or one cannot be read."""
    return [read_split(name, *files) for name, files in find_files(data).items()]


def listed_files(annotations: Path, images: Path) -> list[Path]:
    """The images that an annotation file lists; none where it is no such file."""
    try:
        content = read_json(annotations)
        entries = read_section(content, "images", annotations)
    except InputError:
        return []
    names = (entry.get("file_name") for entry in entries if isinstance(entry, dict))
    return [images / name for name in names if isinstance(name, str) and name]


def _key(value: object) -> Hashable:
    """What an id means: annotations may say 7 where the image says "7", and what is no id still names an entry."""
    if is_whole(value):
        return int(value)
    if isinstance(value, bool | float):
        return repr(value)
    if not isinstance(value, str) or not value:
        return None
    try:
        return int(value)
    except ValueError:
        return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _file_name(value: object) -> str | None:
    return None if "\0" in str(value) else _text(value)  # no system has a file of such a name


def _size(entry: dict[str, Any]) -> tuple[int, int] | None:
    width, height = entry.get("width"), entry.get("height")
    if is_whole(width) and is_whole(height) and 1 <= width < _LONGEST and 1 <= height < _LONGEST:
        return int(width), int(height)
    return None


def _box(value: object) -> tuple[float, float, float, float] | None:
    if isinstance(value, list) and len(value) == 4 and all(is_number(side) for side in value):
        x, y, width, height = (float(side) for side in value)
        return x, y, width, height
    return None
