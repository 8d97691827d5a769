"""Flags of earlier versions that have another name now: they work, are not listed, and say so in a line."""

import argparse
import sys
from typing import Any


def add_renamed(parser: argparse.ArgumentParser, old: str, new: str, **settings: Any) -> None:
    """Takes ``old`` for ``new``, an argument that the parser has already; ``settings`` are further ones of it."""
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
