"""Arguments that several commands have."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from fusedet.cli.shared.files import refuse_to_replace, write_or_refuse
from fusedet.common.arguments import DUPLICATE_IOU, check_whole


def add_duplicate_iou(parser: argparse.ArgumentParser) -> None:
    """Declares ``--duplicate-iou``: ``duplicate_iou`` of what is parsed is in 0..1, or None for ``off``."""
    parser.add_argument(
        "--duplicate-iou",
        type=_duplicate_iou,
        default=DUPLICATE_IOU,
        metavar="IOU",
        help="without NMS, remove the lower-scored of two boxes of a class that overlap by more than this, 0..1; off "
        "keeps both (default: %(default)s)",
    )


def check_counts(args: argparse.Namespace, *names: str) -> None:
    """Raises InputError for numbers below 1; an argument that was left out may be None."""
    for name in names:
        if getattr(args, name) is not None:
            check_whole(f"--{name.replace('_', '-')}", getattr(args, name))


def add_renamed(parser: argparse.ArgumentParser, old: str, new: str, **settings: Any) -> None:
    """Takes ``old``, a flag of an earlier version, for ``new``: it works, is not listed, and says so in a line.

    The parser has ``new`` already; ``settings`` are further ones of ``add_argument``.
    """
    dest = new.lstrip("-").replace("-", "_")
    parser.add_argument(
        old, dest=dest, action=_Renamed, new=new, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **settings
    )


def say_renamed(old: str, new: str) -> None:
    """The line about it, on standard error."""
    print(f"note: {old} is {new} now", file=sys.stderr)


class _Renamed(argparse.Action):
    def __init__(self, *args: Any, new: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._new = new

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        say_renamed(str(option), self._new)
        setattr(namespace, self.dest, values)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declares ``--json [FILE]`` for :func:`print_json`."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        nargs="?",
        const="-",
        help="JSON instead of text, on standard output or into a new FILE",
    )


def check_json(args: argparse.Namespace) -> None:
    """Raises InputError where the file of ``--json`` exists; to be called before long work."""
    if args.json not in (None, "-"):
        refuse_to_replace("--json", Path(args.json), getattr(args, "force", False))


def print_json(args: argparse.Namespace, content: Any) -> bool:
    """Writes ``content`` where ``--json`` says; False where nobody asked for it."""
    if args.json == "-":
        print(json_text(content), end="")
    else:
        write_json(None if args.json is None else Path(args.json), content)
    return args.json is not None


def write_json(path: Path | None, content: Any) -> None:
    """Writes ``content`` where a file was asked for; InputError where it cannot be written."""
    if path is not None:
        write_or_refuse(path, json_text(content))


def json_text(content: Any) -> str:
    """``content`` as a file of JSON; NaN and infinity become null, paths and the like text."""
    return json.dumps(_plain(content), indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _duplicate_iou(text: str) -> float | None:
    if text == "off":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:  # NaN is not
        raise argparse.ArgumentTypeError(f"expected an IoU in 0..1 or off, but got {text!r}")
    return value
