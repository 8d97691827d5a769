"""Addresses such as ``rtsp://user:password@camera.local/stream``: taken apart, and what of them may be shown."""

import re
from urllib.parse import SplitResult, quote, urlsplit

from fusedet.common.errors import InputError

_HIDDEN = "***"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
#: Some cameras want their password as a part of the path: ``/user=admin_password=abc_channel=1.sdp``.
_IN_PATH = re.compile(r"((?:password|passwd|pass|pwd|token|secret)=).*?(?=[&;/]|_[a-z]+=|$)", re.IGNORECASE)
#: In running text: of an address all up to the last @, and words such as ``user:password@host``.
_LOGIN = re.compile(r"(?<=://).*@|(?<![^\s'\"])[^\s'\":]*:(?!//)\S*@")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"]+")
#: In a query: what stands behind a =, and what has none.
_VALUE = re.compile(r"(?<==)[^&;]*|(?<![^&;])[^&;=]+(?![^&;])")
_HOW = (
    "percent-encode it (%40 for an at sign, %2F for /, %3F for ?, %23 for #, %5B for [), "
    "or write ${NAME} for an environment variable that holds the password as it is"
)


def has_variable(text: str) -> bool:
    """Whether something of ``text`` is known only when the command runs: there is a ``${NAME}`` in it."""
    return "${" in text


def split_address(text: str) -> SplitResult:
    """The parts of an address; nothing of it is in an error, because nobody knows then what is a password.

    Raises:
        InputError: it is no address, or its login cannot be told from the rest.
    """
    scheme, mark, rest = text.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme):
        raise InputError("expected an address such as rtsp://host/path or https://host/path")
    if not text.isprintable():
        raise InputError("an address must not hold line breaks and other characters that cannot be printed")
    if re.search(r"[/?#].*@", rest):
        raise InputError(f"an at sign behind a / ? or # may belong to a password: {_HOW}")
    try:
        parts = urlsplit(text)
        in_range = parts.port != 0
    except ValueError:  # the cause may quote the password
        in_range = False
    if not in_range:
        what = "expected a number from 1 to 65535 as the port; if a character of a password stands in the way"
        raise InputError(f"{what}, {_HOW}") from None
    if not parts.hostname:
        raise InputError("there is no host in this address")
    return parts


def hide_secrets(text: str) -> str:
    """An address fit to be shown: no user name, no password, and stars for the values of its query.

    Of one that cannot be taken apart only the scheme is shown. What is no address stays as it is, unless it looks like
    one whose scheme was forgotten, ``user:password@host``.
    """
    scheme, mark, rest = text.partition("://")
    if not mark:
        return _IN_PATH.sub(rf"\1{_HIDDEN}", re.sub(r"^.*:.*@", f"{_HIDDEN}@", text, flags=re.DOTALL))
    try:
        split_address(text)
    except InputError:
        return f"{scheme if _SCHEME.fullmatch(scheme) else _HIDDEN}://{_HIDDEN}"
    place, fragment_mark, _ = rest.rpartition("@")[2].partition("#")
    place, query_mark, query = place.partition("?")
    shown = _IN_PATH.sub(rf"\1{_HIDDEN}", place) + query_mark + _VALUE.sub(_HIDDEN, query)
    return f"{scheme}://{shown}" + (f"#{_HIDDEN}" if fragment_mark else "")


def hide_in_text(text: str) -> str:
    """Running text, such as a message, without the secrets of addresses in it."""
    return _ADDRESS.sub(lambda match: hide_secrets(match[0]), _LOGIN.sub(f"{_HIDDEN}@", text))


def encode_login(value: str, *, whole: bool) -> str:
    """A user name or a password as it stands in an address.

    ``whole``: it is all that stands before the @, and its first colon divides user name and password.
    """
    if not whole:
        return quote(value, safe="")
    user, colon, password = value.partition(":")
    return quote(user, safe="") + colon + quote(password, safe="")


def encode_value(value: str) -> str:
    """The value behind ``name=`` in a query or a path."""
    return quote(value, safe="!$'()*,:")
