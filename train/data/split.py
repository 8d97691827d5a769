"""Divides an annotation file into sets that have the same share of every class.

Iterative stratification: Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data", 2011. The class
of which the fewest images are left comes first, for it leaves the least choice, and each image with it goes where
that class is missed most.
"""

import json
import logging
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.atomic import write_text
from fusedet.configs.layouts import find_sets, only_file
from fusedet.train.data.coco import read_checked

_log = logging.getLogger(__name__)


def divide_only_file(root: Path) -> bool:
    """Divides the one annotation file of a folder, as Label Studio exports it, and says so in the log.

    Of five images four go into ``annotations/train.json`` and one into ``annotations/val.json``. False where there is
    no such file, or too few images in it. Raises InputError if it is no COCO file.
    """
    files = only_file(find_sets(root))
    if files is None:
        return False
    content = read_checked(files.annotations)
    names = [image["file_name"] for image in content["images"]]
    sets = divide(content, {"train": 4, "val": 1}, group_names(names, None), seed=0)
    if not all(part["images"] for part in sets.values()):
        return False
    folder = root / "annotations"
    folder.mkdir(exist_ok=True)
    for name, part in sets.items():
        write_text(folder / f"{name}.json", json.dumps(part, ensure_ascii=False))
    train, val = (len(part["images"]) for part in sets.values())
    _log.warning(
        f"{files.annotations} is for all images: {train} of them are in {folder / 'train.json'} to learn from now, "
        f"{val} in val.json to evaluate on; of frames of videos those of one scene belong together: fusedet data split "
        f"{shlex.quote(str(files.annotations))} --group REGEX --out {shlex.quote(str(folder))} --force"
    )
    return True


def group_names(file_names: Sequence[str], pattern: re.Pattern[str] | None) -> list[str]:
    """The group of each image: what the first group of ``pattern`` matches, or the whole match.

    An image that does not match, and every image without a pattern, is a group of its own.
    """
    groups = []
    for i, name in enumerate(file_names):
        match = pattern.search(name) if pattern is not None else None
        if match is None:
            groups.append(f"{i}:{name}")
        else:
            groups.append(str(match.group(1) if match.re.groups else match.group(0)))
    return groups


def divide(content: Mapping[str, Any], ratios: Mapping[str, float], groups: Sequence[str], seed: int) -> dict[str, Any]:
    """The content of an annotation file for each set, everything else of it kept; the same seed gives the same sets.

    Args:
        content: a COCO dictionary.
        ratios: name of each set -> its share; they need not add up to 1.
        groups: of each image, in the order of ``content["images"]``; images of a group stay together.
        seed: of what is left to chance.
    """
    images, names = content["images"], list(ratios)
    counts, images_in = _class_counts(content, groups), Counter(groups)
    sizes = np.array([images_in[group] for group in counts], np.float64)
    shares = np.array(list(ratios.values()), np.float64)
    of_group = _assign(counts, sizes, shares / shares.sum(), np.random.default_rng(seed))
    place = dict(zip(counts, of_group, strict=True))
    chosen = {image["id"]: names[place[group]] for image, group in zip(images, groups, strict=True)}
    return {
        name: {
            **content,
            "images": [image for image in images if chosen[image["id"]] == name],
            "annotations": [a for a in content["annotations"] if chosen[a["image_id"]] == name],
        }
        for name in names
    }


def _class_counts(content: Mapping[str, Any], groups: Sequence[str]) -> dict[str, Counter[Any]]:
    """Group -> category id -> boxes."""
    counts: dict[str, Counter[Any]] = {group: Counter() for group in groups}
    by_image = {image["id"]: group for image, group in zip(content["images"], groups, strict=True)}
    for annotation in content["annotations"]:
        counts[by_image[annotation["image_id"]]][annotation["category_id"]] += 1
    return counts


def _assign(
    counts: Mapping[str, Counter[Any]],
    sizes: NDArray[np.float64],
    shares: NDArray[np.float64],
    rng: np.random.Generator,
) -> list[int]:
    classes = sorted({category for counter in counts.values() for category in counter}, key=str)
    table = np.array([[c[k] for k in classes] for c in counts.values()], np.float64).reshape(len(counts), len(classes))
    wanted = np.outer(shares, table.sum(0))  # [sets, classes] boxes
    room = shares * sizes.sum()  # [sets] images
    places = np.full(len(counts), -1)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-sizes[order], kind="stable")]  # the largest groups first, while there is room

    def put(group: int, need: NDArray[np.float64]) -> None:
        best = max(range(len(shares)), key=lambda s: (round(float(need[s]), 9), round(float(room[s]), 9)))
        places[group] = best
        wanted[best] -= table[group]
        room[best] -= sizes[group]

    while (left := np.flatnonzero(((table > 0) & (places < 0)[:, None]).any(0))).size:
        rarest = min(left, key=lambda k: ((table[:, k] > 0) & (places < 0)).sum())
        for group in order:
            if places[group] < 0 and table[group, rarest] > 0:
                put(group, wanted[:, rarest])
    for group in order:
        if places[group] < 0:
            put(group, room)
    return [int(place) for place in places]
