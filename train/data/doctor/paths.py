"""Files that are meant by names which lead nowhere: annotation tools write paths of other folders and systems.

A name is compared with the files that nobody lists, by its last part: at first as it stands, then with ``\\`` read as
``/``, decoded from a URL and so on, then whatever the case, the suffix, what a tool put before or behind it, and the
signs between its letters. Folders decide between files of one name. Only a file that is the single one meant, and by a
single name, is taken.
"""

import html
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from fusedet.deploy.camera.sources import IMAGE_SUFFIXES
from fusedet.train.data.coco import missing_files
from fusedet.train.data.doctor.source import Image, Match, Split

#: Before a name: of what was uploaded to Label Studio, and of COCO's images of 2014.
_PREFIX = re.compile(r"^([0-9a-f]{8}-|coco_(train|val|test)20\d\d_)(?=.)")
_EXPORT = re.compile(r"[_.-][a-z]{3,4}\.rf\.\w+$")  # Roboflow's own behind the name of what it exports


def match_files(splits: Sequence[Split], others: Sequence[Path] = ()) -> None:
    """Fills ``Split.matches`` for the images whose own names lead nowhere; those of ``others`` are not taken."""
    for folder in dict.fromkeys(split.image_folder for split in splits):
        of_folder = [split for split in splits if split.image_folder == folder]
        lost = [(split, image) for split in of_folder for image in _missing(split)]
        if not lost:
            continue
        gone = {(id(split), image.position) for split, image in lost}
        paths = [
            split.image_folder / image.file_name
            for split in of_folder
            for image in split.images
            if image.file_name is not None and (id(split), image.position) not in gone
        ]
        listed = {os.path.normcase(os.path.abspath(path)) for path in (*paths, *others)}
        files = _Files([f for f in images_in(folder) if os.path.normcase(os.path.abspath(folder / f)) not in listed])
        found = [(split, image, files.find(image.file_name or "")) for split, image in lost]
        times = Counter(match.file for _, _, match in found)
        for split, image, match in found:
            if match.file and times[match.file] > 1:
                match = Match("", f"{match.file} is meant by {times[match.file]} names")
            split.matches[image.position] = match


def images_in(folder: Path) -> Iterator[str]:
    """Names of images relative to ``folder``, of the folders in it too, sorted; not of hidden files."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:
                yield os.path.normpath(os.path.relpath(os.path.join(parent, name), folder))


def _missing(split: Split) -> list[Image]:
    named = [(image, split.image_folder / image.file_name) for image in split.images if image.file_name is not None]
    missing = set(missing_files(path for _, path in named))
    return [image for image, path in named if path in missing]


class _Files:
    """The files of a folder that nobody lists, to be found by names of other folders."""

    def __init__(self, names: Sequence[str]) -> None:
        self._by_key: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name in (Path(name).as_posix() for name in names):
            for how, key in _KEYS.items():
                self._by_key[how, key(_path(name).name)].append(name)

    def find(self, file_name: str) -> Match:
        for how_key, key in _KEYS.items():
            for name, how_name in _readings(file_name):
                path = PurePosixPath(name)
                found = self._by_key.get((how_key, key(path.name)), [])
                nearest = _of_nearest_folders(path, found)
                if len(nearest) > 1:
                    return Match("", f"{nearest[0]} and {nearest[1]} are both named so")
                if nearest:
                    moved = "by its name alone" if _path(nearest[0]).parent != path.parent else ""
                    return Match(nearest[0], ", ".join(filter(None, (how_name, moved, how_key))))
        return Match("", "")


def _path(file: str) -> PurePosixPath:
    """Of a file that is there; one that was unpacked from a zip of Windows may have ``\\`` in its name."""
    return PurePosixPath(file.replace("\\", "/"))


def _of_nearest_folders(path: PurePosixPath, files: Sequence[str]) -> list[str]:
    """Those that share the most of the last folders with ``path``."""

    def shared(file: str) -> int:
        pairs = zip(reversed(path.parent.parts), reversed(_path(file).parent.parts), strict=False)
        return len(list(takewhile(lambda pair: _plain(pair[0]) == _plain(pair[1]), pairs)))

    most = max(map(shared, files), default=0)
    return [file for file in files if shared(file) == most]


def _readings(name: str) -> Iterator[tuple[str, str]]:
    """What a name may mean, the nearest first, and how it is read so."""
    hows: list[str] = []
    yield name, ""
    for how, read in _READ.items():
        if (other := read(name)) != name and other.strip("/"):
            name = other
            hows.append(how)
            yield name, ", ".join(hows)


def _without_address(name: str) -> str:
    """``/data/local-files/?d=folder/a.jpg`` and ``http://host/folder/a.jpg?size=1`` mean ``folder/a.jpg``."""
    name = name.partition("?d=")[2] or name
    return re.sub(r"^[a-zA-Z][\w+.-]*://[^/]*/|[?#].*$", "", name)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _stem(name: str) -> str:
    """Without the suffix, and without the one before it: who cannot see suffixes may write them twice."""
    stem, suffix = os.path.splitext(_plain(name))
    return _stem(stem) if suffix in IMAGE_SUFFIXES else stem + suffix


def _signs_as_one(name: str) -> str:
    """Tools write ``_``, ``+``, ``%20`` or ``&amp;`` for what stands between letters and digits."""
    stem = _EXPORT.sub("", _PREFIX.sub("", _stem(html.unescape(unquote(name)).strip())))
    return re.sub(r"[\W_]+", "_", stem).strip("_") or stem


#: How a name is read otherwise, in words -> the other name; each on top of those before it.
_READ: dict[str, Callable[[str], str]] = {
    "\\ read as /": lambda name: name.replace("\\", "/"),
    "without the address": _without_address,
    "decoded from a URL": unquote,
}
#: How loosely last parts of names are compared, in words -> what must be equal; the strictest first.
_KEYS: dict[str, Callable[[str], str]] = {
    "": lambda name: name,
    "whatever the case": _plain,
    "whatever the suffix": _stem,
    "without a tool's prefix": lambda name: _PREFIX.sub("", _stem(name)),
    "whatever zeros are before its numbers": lambda name: re.sub(r"(?<!\d)0+(?=\d)", "", _PREFIX.sub("", _stem(name))),
    "by its letters and digits": _signs_as_one,
}
