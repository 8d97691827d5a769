"""Reads JSON that anybody may have written: whatever is wrong with it is one kind of error."""

import json
import reprlib
from typing import Any

_REPR = reprlib.Repr()
_REPR.maxlevel = 3
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60


def parse_json(text: str | bytes) -> Any:
    """The value in a JSON text.

    Raises:
        ValueError: it is no JSON (``json.JSONDecodeError`` where a place can be named), no UTF-8, nested too deeply, or
            has a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def short(value: object, most: int = 80) -> str:
    """``value`` as Python prints it, cut to ``most`` characters, for a message in one line."""
    try:
        text = repr(value) if isinstance(value, str) else _REPR.repr(value)
    except ValueError:  # a whole number of thousands of digits cannot be printed
        return "a number of thousands of digits"
    return text if len(text) <= most else text[: most - 3] + "..."
