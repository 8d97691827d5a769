"""Spoils bytes, text and values, each time in another way, and for one random generator always in the same way."""

import copy
import json
import random
import re
from collections.abc import Sequence
from typing import Any

#: What a reader hardly expects, in the place of a value.
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, "", " ", "x", "12", "nan", "a\nb", "\0", "\ud800", "é漢🙂"),
    *("../../etc/passwd", "/", "x" * 3000),
    *([], {}, [[]], [{}], [None], [1, 2, 3, 4], ["a"] * 4, {"a": 1}, {"": None}),
    *(0, -1, 1, 7, 7.5, -0.0, 2.0, 1e-300, 1e300, 2**31, 2**53, 2**63, -(2**63), 10**20, 10**400),
    *(float("nan"), float("inf"), float("-inf")),
)
#: The same for a word in a text.
ODD_TEXTS = (
    *("", "0", "-1", "1", "3.5", "1e400", "-1e-400", "9" * 25, "9" * 5000, "nan", ".nan", ".inf", "-.inf", "inf"),
    *("0x10", "null", "~", "true", "yes", "on", "[]", "{}", "[[[[", "}}", "'", '"', "''", "#", ":", "- ", "? "),
    *("&a", "*a", "<<", "!!python/object/apply:os.getcwd []", "!!int x", "!!binary aGk=", "!x"),
    *("${HOME}", "${NONE_SUCH}", "%s", "%00", "é漢🙂", "\x00", "\x85", "\u2028", "\ufeff", "\t", "\r\n"),
    *("../../etc/passwd", "/", ".", "..", "~root", "x" * 3000),
    *("1:30", "2024-01-01", "1_000", "0b1", "+5", "5.", ".5", "\\", "\\x", "<", "&amp;", "&lol;", "]]>", "<!--"),
)
#: The same for four bytes, which may be a length.
ODD_LENGTHS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")
_WORD = re.compile(r"[\w.+-]+|\S")


def spoil_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to eight changes anywhere, more often near the start, where headers are."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = int(len(changed) * rng.random() ** rng.choice((1, 3, 8)))
        length = rng.choice((1, 1, 2, 4, 8, 64, 1000))
        action = rng.randrange(7)
        if action == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif action == 1:
            changed[at : at + length] = rng.randbytes(length)
        elif action == 2:
            changed[at : at + 4] = rng.choice(ODD_LENGTHS)
        elif action == 3:
            del changed[at : at + length]
        elif action == 4:
            changed[at:at] = changed[at : at + length] * rng.choice((1, 2, 50))
        elif action == 5:
            changed[at:at] = rng.choice(ODD_TEXTS).encode("utf-8")
        else:
            del changed[at:]
    return bytes(changed)


def spoil_text(data: bytes, rng: random.Random) -> bytes:
    """Words and lines of a text changed, moved, repeated or removed; now and then its bytes."""
    if rng.random() < 0.15:
        return spoil_bytes(data, rng)
    text = data.decode("utf-8")
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        text = _spoil_word(text, rng) if rng.random() < 0.7 else _spoil_line(text, rng)
    return text.encode("utf-8")


def spoil_json(data: bytes, rng: random.Random) -> bytes:
    """The values in a JSON text changed; now and then its characters."""
    if rng.random() < 0.2:
        return spoil_text(data, rng)
    if rng.random() < 0.02:
        return rng.choice((b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"[" + b"9" * 5000 + b"]", b"", b"null"))
    return json.dumps(spoil_value(json.loads(data), rng)).encode("utf-8")


def spoil_value(value: Any, rng: random.Random) -> Any:
    """Plain values, nested, with one to eight of them changed, moved, repeated or removed."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        value = _spoil_one(value, rng)
    return value


def _spoil_one(value: Any, rng: random.Random) -> Any:
    """Goes down to a random depth and changes what is there."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.08:
        return copy.deepcopy(rng.choice(ODD_VALUES))
    key: Any = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    action = rng.random()
    if action < 0.12:
        del value[key]
    elif action < 0.22:
        other: Sequence[Any] = list(value.values()) if isinstance(value, dict) else value
        value[key] = copy.deepcopy(rng.choice(other))
    elif action < 0.28 and isinstance(value, dict):
        value[str(rng.choice(ODD_TEXTS))] = copy.deepcopy(value[key])
    elif action < 0.28:
        value.insert(key, copy.deepcopy(value[key]))  # type: ignore[union-attr]
    else:
        value[key] = _spoil_one(value[key], rng)
    return value


def _spoil_word(text: str, rng: random.Random) -> str:
    words = list(_WORD.finditer(text))
    if not words:
        return rng.choice(ODD_TEXTS)
    word, other = rng.choice(words), rng.choice(words)[0]
    by = rng.choice((rng.choice(ODD_TEXTS), rng.choice(ODD_TEXTS), other, word[0] + other, word[0][:-1], "-" + word[0]))
    return text[: word.start()] + by + text[word.end() :]


def _spoil_line(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = rng.randrange(len(lines))
    action = rng.randrange(5)
    if action == 0:
        del lines[at]
    elif action == 1:
        lines.insert(at, rng.choice(lines))
    elif action == 2:
        lines[at] = " " * rng.choice((1, 2, 4)) + lines[at]
    elif action == 3:
        lines[at] = lines[at].lstrip()
    else:
        lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
    return "".join(lines)
