"""``${NAME}`` in a text of a config stands for the environment variable ``NAME``."""

import os
import re
from typing import Any, TypeVar

from fusedet.common.addresses import encode_login, encode_value
from fusedet.common.errors import InputError
from fusedet.configs.reader.loader import ConfigTree
from fusedet.configs.reader.strict import StrictModel
from fusedet.configs.reader.validate import validate

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
#: Meant as one, but nothing would take its place.
_MISTAKEN = re.compile(r"\$\{[^}]*\w")
_SOURCE = "with the environment variables"
_Model = TypeVar("_Model", bound=StrictModel)


def expand(config: _Model) -> _Model:
    """The config with each ``${NAME}`` in its texts replaced, and checked once more.

    In an address, what stands before the last @ or behind a = is percent-encoded.

    Raises:
        InputError: there is no such variable, or what it holds, which is never shown, is not allowed.
    """
    expanded = _expand(config, "")
    validate(ConfigTree(expanded.model_dump(mode="json"), _SOURCE, {}), type(config), show_values=False)
    return expanded


def _expand(value: Any, key: str) -> Any:
    if isinstance(value, StrictModel):
        return value.model_copy(update={name: _expand(inner, f"{key}.{name}") for name, inner in value})
    if isinstance(value, dict):
        return {name: _expand(inner, f"{key}.{name}") for name, inner in value.items()}
    if isinstance(value, list):
        return [_expand(inner, f"{key}.{position}") for position, inner in enumerate(value)]
    return _expand_text(value, key[1:]) if isinstance(value, str) else value


def _expand_text(text: str, key: str) -> str:
    if _MISTAKEN.search(_VARIABLE.sub("", text)):
        raise InputError(f"{key}: expected ${{NAME}}, a name of letters, digits and _ between braces")
    place, login_end = text.find("://") + len("://"), text.rfind("@")
    login = text[place:login_end]

    def fill_in(match: re.Match[str]) -> str:
        value = _variable(match[1], key)
        if "://" not in text or match.start() < place:
            return value
        if match.start() < login_end:
            return encode_login(value, whole=match[0] == login)
        return encode_value(value) if text[match.start() - 1] == "=" else value

    return _VARIABLE.sub(fill_in, text)


def _variable(name: str, key: str) -> str:
    if name not in os.environ:
        raise InputError(f"{key}: ${{{name}}} stands for an environment variable, but there is none")
    if not os.environ[name].isprintable():
        raise InputError(f"{key}: the environment variable {name} holds a line break or something else not printable")
    return os.environ[name]
