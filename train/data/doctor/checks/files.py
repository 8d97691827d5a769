"""Rules of the files that an annotation file names, and of those that it does not. No image is opened."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from fusedet.common.text import counted
from fusedet.train.data.coco import missing_files
from fusedet.train.data.doctor.finding import Finding
from fusedet.train.data.doctor.paths import images_in
from fusedet.train.data.doctor.source import Image, Split


def check_files(split: Split) -> Iterator[Finding]:
    """Each image has a name, is there, holds something and is listed once."""
    first: dict[str, Image] = {}
    named = [(image, path) for image in split.images if (path := split.path(image)) is not None]
    missing = set(missing_files(path for _, path in named))
    matched, lost = sum(bool(match.file) for match in split.matches.values()), len(split.matches)
    count = f"{matched} of {counted(lost, 'missing file')} can be matched, each with one file"
    for image in split.images:
        if image.file_name is None:
            yield split.about_image("file-name", image, "a text as 'file_name'", repr(image.raw.get("file_name")))
    for image, path in named:
        name, match = os.path.normpath(path), split.matches.get(image.position)
        if name in first:
            other = (split.name, first[name].position)
            found = f"image {first[name].raw.get('id')!s:.60} is this file as well"
            yield split.about_image("file-repeated", image, "each file once", found, other)
        first.setdefault(name, image)
        if path in missing:
            found = f"no such file{f'; {match.how}' if match is not None and match.how else ''}"
            yield split.about_image("missing-file", image, f"a file {path}", found)
        elif match is not None:
            found = f"{match.file} ({match.how}; {count})"
            yield split.about_image("other-path", image, f"a file {split.image_folder / str(image.file_name)}", found)
        if path not in missing and _size(path) == 0:
            yield split.about_image("empty-file", image, "an image", "a file of zero bytes")


def check_unlisted(splits: Sequence[Split], others: Sequence[Path] = ()) -> Iterator[Finding]:
    """Images in the folders that no set lists. ``others`` are files that belong to a set that is not checked."""
    for folder in dict.fromkeys(split.image_folder for split in splits):
        of_folder = [split for split in splits if split.image_folder == folder]
        files = (split.file(image) for split in of_folder for image in split.images)
        used = [*(folder / file for file in files if file is not None), *others]
        listed = {os.path.relpath(path, folder) for path in used}
        for name in images_in(folder):
            if name not in listed and os.path.normcase(name) not in listed:
                expected = "an entry in the images of " + " or ".join(s.annotations.name for s in of_folder)
                yield Finding("unlisted-file", of_folder[0].name, expected, "none", Path(name).as_posix())


def check_listed_in_two(splits: Sequence[Split]) -> Iterator[Finding]:
    """A file of one set must not be in another: the evaluation would be for what was learned by heart."""
    first: dict[str, tuple[Split, Image]] = {}
    for split in splits:
        for image in split.images:
            path = split.path(image)
            if path is None:
                continue
            known, twin = first.setdefault(os.path.normpath(path), (split, image))
            if known is not split:
                expected, found = f"an image that is not in {known.name}", f"the same file in {known.name}"
                yield split.about_image("leak", image, expected, found, (known.name, twin.position))


def present(split: Split) -> list[tuple[Image, Path]]:
    """The images whose files are there and hold something, each file once."""
    known: dict[Path, Image] = {}
    for image in split.images:
        path = split.path(image)
        if path is not None:
            known.setdefault(path, image)
    missing = set(missing_files(known))
    return [(image, path) for path, image in known.items() if path not in missing and _size(path) != 0]


def _size(path: Path) -> int:
    """In bytes; -1 where nobody may know, which reading the image will tell."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
