"""Where the sets of a folder lie: in fusedet's own layout, and in those of annotation tools. Standard library only.

``annotations/train.json`` and ``images/`` are fusedet's own. CVAT writes ``annotations/instances_train.json`` and
``images/train/``, COCO itself ``train2017/``, Roboflow ``train/_annotations.coco.json`` beside the images, Label Studio
``result.json`` and ``images/``. File names in the annotations may be relative to any of these folders: the one that
holds the first of them is taken.
"""

import json
import mmap
import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from fusedet.common.errors import InputError

SPLITS = ("train", "val", "test")
#: What tools call the sets.
_WORDS = {
    **{"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"},
    **{"test": "test", "testing": "test"},
}
#: Words at the start of COCO's own files that hold no boxes, or not all.
_NOT_BOXES = ("captions", "panoptic", "stuff", "image", "person")
_FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')
#: File names that decide to which folder all of them are relative.
_NAMES = 20


class SetFiles(NamedTuple):
    """The annotation file of a set, and the folder that its file names are relative to."""

    annotations: Path
    images: Path


def find_sets(root: Path) -> dict[str, SetFiles]:
    """The sets of a folder by their names: ``train``, ``val`` and ``test``, as far as there are any.

    A single annotation file whose name says no set is one by its own name.

    Raises:
        InputError: several files may be the same set.
    """
    by_split: dict[str, list[Path]] = {}
    unnamed = []
    for path in _annotation_files(root):
        split = _split_of(path.stem) or (_split_of(path.parent.name) if path.parent != root else None)
        by_split.setdefault(split, []).append(path) if split else unnamed.append(path)
    sets = {split: _best(split, by_split[split]) for split in SPLITS if split in by_split}
    if not sets and len(unnamed) == 1:
        sets = {unnamed[0].stem: unnamed[0]}
    return {name: SetFiles(path, image_folder(path, root)) for name, path in sets.items()}


def only_file(sets: Mapping[str, SetFiles]) -> SetFiles | None:
    """The file for all images of a folder whose sets were found; None where it has several, or one of a set's name."""
    return next(iter(sets.values())) if sets and not sets.keys() & {*SPLITS} else None


def image_folder(annotations: Path, root: Path | None = None) -> Path:
    """The folder that the file names of an annotation file are relative to.

    ``root`` is that of the data set; left out, that of the file or, for one in ``annotations/``, the one above.
    """
    beside = annotations.parent
    if root is None:
        root = beside.parent if beside.name == "annotations" or (beside.parent / "images").is_dir() else beside
    names = list(islice(_file_names(annotations), _NAMES))
    folders = [folder for folder in dict.fromkeys(_folders(annotations, root)) if folder.is_dir()]
    hits = [sum(_exists(folder, name) for name in names) for folder in folders]
    if any(hits):
        return folders[hits.index(max(hits))]
    usual = root / "images"
    return usual if usual.is_dir() or beside in (root, root / "annotations") else beside


def explain(root: Path) -> str:
    """Why a folder is no data set to train on, and which command makes one of it, in one line."""
    sets, folder = find_sets(root), shlex.quote(str(root))
    if "train" in sets and "val" not in sets:
        file = shlex.quote(str(sets["train"].annotations))
        out = shlex.quote(str(root / "annotations"))
        return f"{root}: there is no validation set; fusedet data split {file} --out {out} --force makes two of train"
    if sets and "train" not in sets:
        (only,) = list(sets.values())[:1]
        return (
            f"{root}: {only.annotations.name} is the only annotation file; fusedet data split {folder} makes "
            "annotations/train.json and val.json of it"
        )
    for form, name, found in (
        ("yolo", "YOLO", [*root.glob("data.y*ml"), *root.glob("classes.txt"), *root.glob("obj.data")]),
        ("voc", "Pascal VOC", [*root.glob("Annotations"), *root.glob("VOC*/Annotations")]),
        ("openimages", "Open Images", list(root.glob("*-annotations-bbox.csv"))),
    ):
        if found:
            return (
                f"{root}: {found[0].name} is of a set in the form of {name}; fusedet data convert {folder} "
                f"{shlex.quote(f'{root}_coco')} --from {form} --to coco makes one of COCO's form"
            )
    if (root / "annotations.xml").is_file():
        return f"{root}: annotations.xml is CVAT's own form; export the task as COCO 1.0"
    return f"{root}: expected annotations/train.json and val.json, or the COCO export of CVAT, Roboflow or Label Studio"


def _annotation_files(root: Path) -> Iterator[Path]:
    for folder in (root / "annotations", root, *(path for path in _listing(root) if _split_of(path.name))):
        yield from (path for path in _listing(folder) if path.suffix.lower() == ".json" and _is_coco(path))


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _split_of(name: str) -> str | None:
    """The set that a name says: of ``instances_train2017`` train."""
    found = {_WORDS[word] for word in re.split(r"[^a-z]+", name.lower()) if word in _WORDS}
    return found.pop() if len(found) == 1 else None


def _best(split: str, paths: list[Path]) -> Path:
    """The one that is most clearly the annotations of a set; InputError where there are several."""

    def rank(path: Path) -> int:
        if path.stem == split:
            return 0
        if path.stem.startswith("instances") or path.name == "_annotations.coco.json":
            return 1
        return 3 if path.stem.startswith(_NOT_BOXES) else 2

    best = [path for path in paths if rank(path) == min(map(rank, paths))]
    if len(best) > 1:
        raise InputError(f"{best[0]} and {best[1]}: both may be the set {split}; rename one, or name the files wanted")
    return best[0]


def _is_coco(path: Path) -> bool:
    """Whether it may hold annotations of COCO; a file that is damaged may."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b'"annotations"') >= 0 or path.stem in SPLITS
    except (OSError, ValueError):  # ValueError: it is empty
        return path.stem in SPLITS


def _file_names(annotations: Path) -> Iterator[str]:
    """What stands in a file under ``file_name``, without reading all of it; nothing where it cannot be read."""
    try:
        with annotations.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for match in _FILE_NAME.finditer(content):
                yield json.loads(match[1])
    except (OSError, ValueError):
        return


def _folders(annotations: Path, root: Path) -> Iterator[Path]:
    """Where the images may lie, the usual places first."""
    beside, stem = annotations.parent, annotations.stem
    split = _split_of(stem) or _split_of(beside.name) or ""
    names = [stem.partition("_")[2] or stem, *(word for word, of in _WORDS.items() if of == split)]
    yield root / "images"
    yield from (root / "images" / name for name in names)
    yield from (beside / "images", beside / "data", beside)
    yield from (root / name for name in names)
    yield from (root / word for word in _WORDS)
    yield root


def _exists(folder: Path, name: str) -> bool:
    try:
        return (folder / name).is_file()
    except (OSError, ValueError):  # too long, or a NUL in it
        return False
