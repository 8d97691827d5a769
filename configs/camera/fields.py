"""Kinds of values that several sections of a config have."""

import ipaddress
import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from fusedet.common.addresses import has_variable, hide_secrets, split_address

_NAME = r"^[A-Za-z0-9_-]{1,64}$"
_LETTERS = str.maketrans(dict(zip("äöüßÄÖÜøæ", ("ae", "oe", "ue", "ss", "Ae", "Oe", "Ue", "o", "ae"), strict=True)))


def check_address(text: str) -> str:
    """``text`` as it is; ValueError where it is meant as an address without a host, or with a login that cannot be told
    apart.
    """
    if "://" in text and not has_variable(text):
        split_address(text)
    return text


def check_name(name: str) -> str:
    """The name of a camera, a zone or a line as it is; ValueError, which names one that would do, where it cannot be
    one.
    """
    if re.fullmatch(_NAME, name):
        return name
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS)).encode("ascii", "ignore").decode()
    better = re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-")[:64]
    hint = f"; {better} would do" if better and hide_secrets(name) == name else ""
    raise ValueError(f"a name is made of the letters a-z and A-Z, digits, - and _, 64 at most{hint}")


def _check_host(host: str) -> str:
    if has_variable(host) or re.fullmatch(r"[\w.-]+", host):
        return host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(
            "expected the name or the number of a host alone, such as broker.local: "
            "no mqtt:// or http:// before it, no user name, and the port under port"
        ) from None
    return host


def text_like(pattern: str, expected: str) -> AfterValidator:
    """A check that a text matches the whole of ``pattern``, with an error that says in words what is expected."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text):
            return text
        raise ValueError(f"expected {expected}")

    return AfterValidator(check)


Fraction = Annotated[float, Field(ge=0, le=1)]
#: A fraction whose range the polygon or line checks, so that the message can say more.
Coordinate = Annotated[float, Field(allow_inf_nan=True, json_schema_extra={"minimum": 0, "maximum": 1})]
Point = tuple[Coordinate, Coordinate]
Seconds = Annotated[float, Field(gt=0, le=86400)]
Name = Annotated[str, AfterValidator(check_name), WithJsonSchema({"type": "string", "pattern": _NAME})]
Host = Annotated[str, Field(min_length=1), AfterValidator(_check_host)]
#: Never shown, in no message either.
Secret = Annotated[str, Field(json_schema_extra={"writeOnly": True})]
