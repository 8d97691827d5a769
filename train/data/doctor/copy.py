"""Writes a repaired data set: a folder that trains, and the list of what was done. The original is only read."""

import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.atomic import write_text
from fusedet.common.errors import InputError
from fusedet.common.text import counted, one_line
from fusedet.deploy.camera.sources import read_image
from fusedet.deploy.detector.opencv import cv2
from fusedet.train.data.doctor.check import Report
from fusedet.train.data.doctor.finding import KINDS
from fusedet.train.data.doctor.fix import Action, repair
from fusedet.train.data.doctor.repair import RepairedSplit
from fusedet.train.labelling.folders import copy_file, whole_folder

_JPEG_QUALITY = 95


def write_repaired(report: Report, out: Path, *, link: bool = False, leave_out: bool = False) -> list[Action]:
    """Writes ``out/images``, ``out/annotations/SPLIT.json`` and what was done: ``out/fixes.json``, ``out/fixes.md``.

    Images are copied byte for byte; only those that EXIF turns are saved anew. ``out`` appears when it is whole.

    Args:
        report: with the images opened.
        out: folder to make.
        link: hard links in the place of copies: no space, but who writes into one file writes into both.
        leave_out: lets the copy lack images that had annotations, or all of their annotations.

    Raises:
        InputError: ``out`` holds something already, the copy would lack what a person has annotated, or would be of no
            use. Nothing is written then.
    """
    repaired_splits, actions = repair(report)
    _check_complete(repaired_splits, actions, leave_out=leave_out)
    with whole_folder(out) as made:
        (made / "annotations").mkdir()
        (made / "images").mkdir()
        classes = _classes(repaired_splits)
        one_folder = len({repaired.split.image_folder.resolve() for repaired in repaired_splits}) == 1
        for repaired in repaired_splits:
            names = _copy_images(repaired, made / "images", "" if one_folder else repaired.split.name, link)
            content = _content(repaired, classes, names)
            text = json.dumps(content, ensure_ascii=False)
            write_text(made / "annotations" / f"{repaired.split.name}.json", text)
        _write_log(made, actions)
    return actions


def _check_complete(splits: Sequence[RepairedSplit], actions: Sequence[Action], *, leave_out: bool) -> None:
    """Makes sure that no annotated image is lost unasked, and that every set of the copy can be opened."""
    for repaired in splits:
        lost = _lost(repaired)
        if lost and not leave_out:
            name = repaired.split.name
            first = repaired.by_position[lost[0]].file_name or f"images[{lost[0]}]"
            had = sum(bool(image.objects) for image in repaired.split.images)
            raise InputError(
                f"the copy would lack {len(lost)} of {counted(had, 'annotated image')} of {name}, first "
                f"{first}{_reason(actions, name, set(lost))}; "
                "nothing was written: --leave-out writes it without them"
            )
        if repaired.split.objects and not repaired.objects and not leave_out:
            raise InputError(
                f"the copy would lack the only {counted(len(repaired.split.objects), 'annotation')} of "
                f"{repaired.split.name} ({KINDS['unknown-image'].title}); "
                "nothing was written: --leave-out writes it without them"
            )
        if not repaired.images:
            raise InputError(f"the copy would have no image left in {repaired.split.name}; nothing was written")


def _lost(repaired: RepairedSplit) -> list[int]:
    """Positions of images that had annotations, and have none in the copy."""
    owners = {
        repaired.moved.get(thing.image.position, thing.image.position)
        for position in repaired.objects
        if (thing := repaired.things[position]).image is not None
        and thing.category is not None
        and thing.category.position in repaired.classes
    }
    return [
        position
        for position, image in repaired.by_position.items()
        if image.objects and position not in repaired.twins and not (position in repaired.images and position in owners)
    ]


def _reason(actions: Sequence[Action], split: str, lost: set[int]) -> str:
    kinds = dict.fromkeys(
        action.finding.kind
        for action in actions
        if action.finding.split == split and action.finding.section == "images" and action.finding.position in lost
    )
    return f" ({'; '.join(KINDS[kind].title for kind in kinds)})" if kinds else ""


def _classes(repaired_splits: Sequence[RepairedSplit]) -> dict[str, int]:
    """Class name -> id: one list for all sets. An id of the file is kept where it is a good one and free."""
    ids: dict[str, int] = {}
    wanted = [
        (p.classes[c.position], c.key) for p in repaired_splits for c in p.split.categories if c.position in p.classes
    ]
    numbers = [key for _, key in wanted if isinstance(key, int)]
    for name, key in wanted:
        if name in ids:
            continue
        free = isinstance(key, int) and key >= 0 and key not in ids.values()
        ids[name] = key if free and isinstance(key, int) else 1 + max((*ids.values(), *numbers), default=0)
    return ids


def _content(repaired: RepairedSplit, classes: dict[str, int], names: dict[int, str]) -> dict[str, Any]:
    """The annotation file; what it says beside the three lists stays."""
    supercategories = {c.name: c.raw for c in repaired.split.categories}
    annotations = []
    for position, raw in repaired.objects.items():
        category = repaired.things[position].category
        assert category is not None
        if category.position in repaired.classes:
            annotations.append({**raw, "category_id": classes[repaired.classes[category.position]]})
    return {
        **{k: v for k, v in repaired.split.content.items() if k not in ("images", "categories", "annotations")},
        "images": [{**raw, "file_name": names[position]} for position, raw in repaired.images.items()],
        "categories": [{**supercategories.get(name, {}), "id": i, "name": name} for name, i in classes.items()],
        "annotations": annotations,
    }


def _copy_images(repaired: RepairedSplit, folder: Path, prefix: str, link: bool) -> dict[int, str]:
    """Position of an image -> its name in the copy."""
    names: dict[int, str] = {}
    for position in repaired.images:
        image = repaired.by_position[position]
        source = repaired.split.path(image)
        assert source is not None
        name = (PurePosixPath(prefix) / _inner_name(repaired.split.file(image))).as_posix()
        orientation = repaired.turns.get(position)
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if orientation is not None:
            target = _save_turned(source, target, orientation)
        elif not target.exists():
            copy_file(source, target, link)
        names[position] = target.relative_to(folder).as_posix()
    return names


def _inner_name(file: str | None) -> str:
    """The file's name, which must not lead out of the folder of images."""
    name = os.path.normpath(file or "")
    return Path(name).name if os.path.isabs(name) or name.startswith("..") else Path(name).as_posix()


def _save_turned(source: Path, target: Path, orientation: int) -> Path:
    """Saves the image upright and without EXIF; PNG where OpenCV cannot write the format."""
    pixels = _turn(read_image(source, upright=False), orientation)
    suffix = target.suffix.lower() if target.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp") else ".png"
    settings = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix in (".jpg", ".jpeg") else []
    written, data = cv2.imencode(suffix, pixels, settings)
    assert written
    if suffix != target.suffix.lower():
        target = target.with_suffix(suffix)
    target.write_bytes(data.tobytes())
    return target


def _turn(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A stored image as its EXIF orientation shows it (TIFF 6.0, tag 274)."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)  # 5 is the transposed image; the others mirror it after that
    flips = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}.get(orientation, ())
    return np.ascontiguousarray(np.flip(pixels, flips))


def _write_log(folder: Path, actions: Sequence[Action]) -> None:
    rows = [{**action.finding.as_dict(), "did": action.did} for action in actions]
    write_text(folder / "fixes.json", json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    lines = ["# What was repaired", "", f"{len(actions)} findings; the original is as it was.", ""]
    kind = ""
    for action in actions:
        finding = action.finding
        if finding.kind != kind:
            lines += ["", f"## {finding.kind}", ""]
            kind = finding.kind
        lines.append(one_line(f"- {finding.split}: {finding.place}: found {finding.found}; {action.did}"))
    write_text(folder / "fixes.md", "\n".join(lines) + "\n")
