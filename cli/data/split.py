"""``fusedet data split``: divides one annotation file into sets to learn from and to evaluate on."""

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from fusedet.cli.shared.files import refuse_to_replace, write_or_refuse
from fusedet.cli.shared.terminal import print_columns
from fusedet.common.errors import InputError
from fusedet.common.text import counted
from fusedet.configs.layouts import find_sets

_NAMES = ("train", "val", "test")
_MOST_CLASSES = 15

_EPILOG = r"""
examples:
  fusedet data split my_data/annotations/all.json
  fusedet data split all.json --ratio 70/15/15 --out annotations --seed 1
  fusedet data split all.json --group '^(cam\d+_\d{8})'   # cameras by day

Every class gets its share in every set, as far as the groups allow. The images stay where they are.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("annotations", metavar="FILE", type=Path, help="COCO annotation file, or a folder with one")
    parser.add_argument(
        "--ratio", default="80/20", help="shares of train, val and, perhaps, test (default: %(default)s)"
    )
    parser.add_argument(
        "--group",
        metavar="REGEX",
        help="images whose names give the same match (its first group, if it has one) stay in one set",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same sets (default: %(default)s)")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="folder for train.json, val.json, ... (default: that of FILE)"
    )
    parser.add_argument("--force", action="store_true", help="replace them if they exist")


def run(args: argparse.Namespace) -> int:
    """Divides, and prints what each set got."""
    ratios, pattern = _ratios(args.ratio), _pattern(args.group)
    if args.seed < 0:
        raise InputError(f"--seed must be at least 0, but got {args.seed}")
    out = args.out or (args.annotations / "annotations" if args.annotations.is_dir() else args.annotations.parent)
    source = _only_file(args.annotations)
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: expected a folder, but this is a file")
    files = {name: out / f"{name}.json" for name in ratios}
    for path in files.values():
        if path.exists() and path.samefile(source):
            raise InputError(f"--out {out}: {path.name} there is what is to be divided; name another folder")
        if out.is_dir():
            refuse_to_replace("--out", path, args.force)
    from fusedet.train.data.coco import read_checked
    from fusedet.train.data.split import divide, group_names

    content = read_checked(source)
    names = [image["file_name"] for image in content["images"]]
    groups = group_names(names, pattern)
    sets = divide(content, ratios, groups, args.seed)
    for name, part in sets.items():
        if not part["images"]:
            found = f"found {counted(len(names), 'image')} in {counted(len(set(groups)), 'group')}"
            raise InputError(f"{source}: {name} would be empty: {found}, expected more, smaller groups")
    out.mkdir(parents=True, exist_ok=True)
    for name, part in sets.items():
        write_or_refuse(files[name], json.dumps(part, ensure_ascii=False))
    _print(sets, content)
    if pattern is not None:
        alone = sum(pattern.search(name) is None for name in names)
        more = f"; {alone} images do not match and are groups of their own" if alone else ""
        print(f"{counted(len(set(groups)), 'group')}{more}")
    return 0


def _only_file(path: Path) -> Path:
    """The annotation file that is meant, of a folder its only one."""
    if not path.is_dir():
        return path
    files = [files.annotations for files in find_sets(path).values()]
    if len(files) != 1:
        found = ", ".join(str(file.relative_to(path)) for file in files) or "none"
        raise InputError(f"{path}: expected one annotation file in this folder, but found {found}")
    return files[0]


def _ratios(text: str) -> dict[str, float]:
    parts = re.split(r"[/,:]", text)
    try:
        shares = [float(part) for part in parts]
    except ValueError:
        shares = []
    if not 2 <= len(shares) <= len(_NAMES) or min(shares) <= 0:
        raise InputError(f"--ratio must be two or three shares above 0, such as 80/20, but got {text!r}")
    return dict(zip(_NAMES, shares, strict=False))


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise InputError(f"--group {text!r}: no regular expression: {error}") from error


def _print(sets: dict[str, dict[str, Any]], content: dict[str, Any]) -> None:
    """Images and boxes of each set, and its share of each class, the rarest first."""
    total = Counter(a["category_id"] for a in content["annotations"])
    counts = {name: Counter(a["category_id"] for a in part["annotations"]) for name, part in sets.items()}
    titles = {category["id"]: str(category["name"]) for category in content["categories"]}
    rarest = sorted(titles, key=lambda key: total[key])
    rows = [
        ["", *sets],
        ["images", *(_share(len(part["images"]), len(content["images"])) for part in sets.values())],
        ["boxes", *(_share(own.total(), total.total()) for own in counts.values())],
    ]
    rows += [
        [titles[key], *(_share(own[key], total[key]) for own in counts.values())] for key in rarest[:_MOST_CLASSES]
    ]
    print_columns(rows)
    if len(rarest) > _MOST_CLASSES:
        print(f"{len(rarest) - _MOST_CLASSES} more classes")


def _share(part: int, whole: int) -> str:
    return f"{part:>7,} {100 * part / whole if whole else 0:>5.1f}%"
