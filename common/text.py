"""Words in messages. Standard library only, as a board needs it."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

#: Above a table of what is shown at a score threshold.
OPERATING_POINT_NOTE = (
    "At the recommended score threshold of each, that of the best F1, and at IoU 0.5. Duplicates are boxes that show "
    "an object again; the count error is the boxes too many or too few in each image and class, over all objects."
)

#: Of a word longer than this, so many characters at each end are shown; the paths of people are shorter.
_KEPT = 140
#: Control characters, and halves of surrogate pairs: bytes of a file's name that are not UTF-8.
_HIDDEN = ("Cc", "Cs")
_LONG_WORD = re.compile(rf"\S{{{2 * _KEPT + 20},}}")


def counted(number: int, noun: str, plural: str = "") -> str:
    """``"1 image"``, ``"1,200 images"``; ``plural`` where it is not the noun and an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def millions(parameters: float) -> str:
    """Parameters of a network as they are told everywhere, such as ``0.95 M``."""
    return f"{parameters / 1e6:.2f} M"


def gmacs(macs: float) -> str:
    """Multiply-accumulates for one image as they are told everywhere, such as ``0.104 GMAC``."""
    return f"{macs / 1e9:.3f} GMAC"


def in_one_line(error: BaseException) -> str:
    """What an error says, without line breaks; of one that says nothing, its name."""
    return " ".join(str(error).split()) or type(error).__name__


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can hold it: not the name of a file whose bytes are in another encoding, as of an old zip."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def one_line(text: str) -> str:
    """For people: line breaks as blanks, what cannot be shown as escapes, and the middle left out of long words.

    Names of files and values from files may hold anything, such as what moves the cursor of a terminal.
    """
    text = _LONG_WORD.sub(lambda word: f"{word[0][:_KEPT]}...{word[0][-_KEPT:]}", " ".join(text.splitlines()))
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in _HIDDEN else c for c in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """``", did you mean 'epochs'?"`` where one of ``known`` resembles ``word``, else nothing."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {found[0]!r}?" if found else ""
