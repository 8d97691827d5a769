"""Words in messages. Standard library only, as a board needs it."""

import difflib
from collections.abc import Iterable

__all__ = ["counted", "nearest"]


def counted(number: int, noun: str, plural: str = "") -> str:
    """``"1 picture"``, ``"1,200 pictures"``; ``plural`` where it is not the noun and an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def nearest(word: str, known: Iterable[str]) -> str:
    """``", did you mean 'epochs'?"`` where one of ``known`` resembles ``word``, else nothing."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {found[0]!r}?" if found else ""
