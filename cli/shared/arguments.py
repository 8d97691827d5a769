"""Arguments that several commands have."""

import argparse
import json
import math
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
    """Refuses numbers below 1; an argument that was left out may be None.

    Raises:
        InputError: one is, which the message names as ``--name``.
    """
    for name in names:
        if getattr(args, name) is not None:
            check_whole(f"--{name.replace('_', '-')}", getattr(args, name))


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
    """To be called before long work.

    Raises:
        InputError: the file of ``--json`` exists.
    """
    if args.json not in (None, "-"):
        refuse_to_replace("--json", Path(args.json), getattr(args, "force", False))


def print_json(args: argparse.Namespace, content: Any) -> bool:
    """Writes ``content`` where ``--json`` says; False where nobody asked for it. NaN becomes null.

    Raises:
        InputError: the file cannot be written.
    """
    if args.json is None:
        return False
    if args.json == "-":
        print(json_text(content), end="")
    else:
        write_or_refuse(Path(args.json), json_text(content))
    return True


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
