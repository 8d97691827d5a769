"""Addresses of cameras, and what of them may be shown."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from fusedet.common.errors import InputError

__all__ = ["Address", "hide_secrets", "parse_address"]

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
#: Some cameras want their password as a part of the path: ``/user=admin_password=abc_channel=1.sdp``.
_IN_PATH = re.compile(r"((?:password|passwd|pass|pwd|token|secret)=).*?(?=[&;/]|_[a-z]+=|$)", re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)[^/?#]*@")
_VALUE = re.compile(r"=[^&;#]*")


@dataclass(frozen=True, repr=False)
class Address:
    """An address of a stream. It is not shown by ``repr``, because there may be a password in it.

    Attributes:
        url: as the user wrote it.
        parts: its parts.
        shown: the same without user name, password and the values of the query.
        label: a short name, fit for a folder.
    """

    url: str
    parts: SplitResult
    shown: str
    label: str

    @property
    def host(self) -> str:
        """Name or number of the host."""
        return self.parts.hostname or ""

    @property
    def port(self) -> int:
        """The port, the scheme's own where none is given."""
        return self.parts.port or _PORTS[self.parts.scheme]

    @property
    def has_login(self) -> bool:
        """There is a user name in it."""
        return self.parts.username is not None


def hide_secrets(text: str) -> str:
    """``text`` fit to be shown: of an address, no user name, no password, and stars for the values of its query.

    What is no address stays as it is.
    """
    if "://" not in text:
        return text
    scheme, _, rest = text.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" not in authority and "@" in rest and not _is_host(authority):
        rest = rest.rpartition("@")[2]  # a / or ? in the password that should have been percent-encoded
    shown = _LOGIN.sub("", f"{scheme}://{rest}")
    shown, mark, query = shown.partition("?")
    return _IN_PATH.sub(r"\1***", shown) + mark + _VALUE.sub("=***", query)


def parse_address(text: str) -> Address:
    """Takes an address apart.

    Raises:
        InputError: it is of no kind that can be read, or has no host or a wrong port.
    """
    shown = hide_secrets(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        what = "expected a number as the port; write @ : / ? # in a password percent-encoded, such as %40 for @"
        raise InputError(f"{shown}: {what}") from None  # the cause may quote the password
    if parts.scheme not in _PORTS:
        raise InputError(f"{shown}: expected an address with {', '.join(_PORTS)}, but got {parts.scheme or 'none'}")
    if not parts.hostname:
        raise InputError(f"{shown}: there is no host in this address")
    shown_path = urlsplit(shown).path
    label = re.sub(r"[^\w.-]+", "-", f"{parts.hostname}{f'-{port}' if port else ''}{shown_path}").strip("-.")
    return Address(text, parts, shown, label)


def _is_host(authority: str) -> bool:
    return re.fullmatch(r"(\[[^\]]*\]|[^:]*)(:\d*)?", authority) is not None
