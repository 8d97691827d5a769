"""Addresses of cameras."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from fusedet.common.addresses import hide_secrets, split_address
from fusedet.common.errors import InputError

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


@dataclass(frozen=True, repr=False)
class Address:
    """An address of a stream. It is not shown by ``repr``, because there may be a password in it."""

    url: str  # as the user wrote it
    parts: SplitResult
    shown: str  # the same without user name, password and the values of the query
    label: str  # a short name, fit for a folder

    @property
    def host(self) -> str:
        """Name or number."""
        return self.parts.hostname or ""

    @property
    def port(self) -> int:
        """The port, the scheme's own where none is given."""
        return self.parts.port or _PORTS[self.parts.scheme]

    @property
    def has_login(self) -> bool:
        """There is a user name in it."""
        return self.parts.username is not None


def parse_address(text: str) -> Address:
    """Takes an address apart.

    Raises:
        InputError: it is of no kind that can be read, or has no host or a wrong port.
    """
    shown = hide_secrets(text)
    try:
        parts = split_address(text)
    except InputError as error:
        raise InputError(f"{shown}: {error}") from None
    if parts.scheme not in _PORTS:
        raise InputError(f"{shown}: expected an address with {', '.join(_PORTS)}, but got {parts.scheme}")
    shown_path = urlsplit(shown).path
    port = f"-{parts.port}" if parts.port else ""
    label = re.sub(r"[^\w.-]+", "-", f"{parts.hostname}{port}{shown_path}").strip("-.")
    return Address(text, parts, shown, label)
