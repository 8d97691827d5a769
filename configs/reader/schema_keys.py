"""The keys that the JSON schema of a config has, and those that a short or a foreign name means.

``epochs=5`` is ``train.epochs=5``, ``imgsz=256`` is ``model.input_size=256``. The value of a setting that is text is
taken as it stands: ``data=2024`` is a folder of that name and no number.
"""

import functools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from fusedet.common.errors import InputError
from fusedet.common.text import nearest
from fusedet.configs.reader.foreign_words import NO_SETTINGS, SETTINGS
from fusedet.configs.reader.loader import BASE_KEY, COMMAND_LINE, KeyPath, is_position

#: What YAML takes for nothing.
_NULLS = ("null", "Null", "NULL", "~")


@functools.cache
def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a config; not to be changed."""
    return model.model_json_schema()


def nodes(schema: dict[str, Any], path: KeyPath) -> Iterator[dict[str, Any]]:
    """What ``schema`` says of the whole file, and of each step of ``path``."""
    node = _resolved(schema, schema)
    yield node
    for step in path:
        node = inner_node(schema, node, step)
        yield node


def inner_node(schema: dict[str, Any], node: dict[str, Any], step: str | int) -> dict[str, Any]:
    """What stands at a key or a position of a section, a list, or names that are the user's."""
    return _resolved(schema, _inner(node, step))


def by_name(node: Mapping[str, Any]) -> dict[str, Any] | None:
    """What stands under each name of a section whose names are the user's; None where they are given."""
    inner = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))
    return inner if isinstance(inner, dict) else None


def _inner(node: dict[str, Any], step: str | int) -> dict[str, Any]:
    inner = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step, by_name(node))
    return inner if isinstance(inner, dict) else {}


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Follows a reference, and takes what is wanted out of ``wanted | None``."""
    for choice in node.get("anyOf", ()):
        if choice.get("type") != "null":
            node = choice
            break
    reference = node.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else node


def all_keys(schema: dict[str, Any]) -> list[str]:
    """The dotted keys of all settings in the sections of a config; what stands in lists has none."""

    def walk(node: dict[str, Any], before: str) -> Iterator[str]:
        for name, inner in node.get("properties", {}).items():
            below = _resolved(schema, inner)
            if below.get("properties"):
                yield from walk(below, f"{before}{name}.")
            else:
                yield before + name

    return list(walk(schema, ""))


def full_key(name: str, known: Iterable[str]) -> str | None:
    """The dotted key among ``known`` that ``name``, without a dot, means: a foreign word, or the last part of one key
    alone.

    None where it means none.
    """
    name = name.replace("-", "_").lower()
    if name in SETTINGS:
        return SETTINGS[name]
    found = [key for key in known if key.rpartition(".")[2] == name and name not in NO_SETTINGS]
    return found[0] if len(found) == 1 else None


def spelled_out(overrides: Sequence[str], model: type[BaseModel]) -> list[str]:
    """``key=value`` texts with their whole keys, and with values in YAML.

    Raises:
        InputError: a key without a dot means no setting, or several.
    """
    known = all_keys(json_schema(model))
    return yaml_values([_spelled_out(text, known, model.model_fields) for text in overrides], model)


def yaml_values(overrides: Iterable[str], model: type[BaseModel]) -> list[str]:
    """``key=value`` texts in which a value that is to be text is one in YAML, too: ``data.root="2024"``.

    Raises:
        InputError: a value is not UTF-8, or a null that may as well be the name of a folder.
    """
    parts = [text.partition("=") for text in overrides]
    schema = json_schema(model)
    for key, _, value in parts:
        if re.search("[\ud800-\udfff]", value):
            raise InputError(
                f"{COMMAND_LINE}: {key}: the text is not UTF-8; a file or folder of such a name has to be renamed"
            )
        if value in _NULLS and os.path.exists(value) and _text_kinds(schema, key):
            raise InputError(f"{COMMAND_LINE}: {key}: {value} means none; a folder of this name is ./{value}")
    return [f"{key}{equals}{_quoted(value, _text_kinds(schema, key))}" for key, equals, value in parts]


def yaml_text(text: str) -> str:
    """A text as YAML and JSON write it, in quotes."""
    return json.dumps(text, ensure_ascii=False)


def _quoted(value: str, kinds: set[str]) -> str:
    """A text of the command line in quotes, unless it has some or is a null, which is no text.

    A path keeps blanks at its ends: a folder may have such a name.
    """
    text = value.strip()
    if not kinds or not text or text[0] in "'\"" or text in _NULLS:
        return value
    return yaml_text(value if "path" in kinds else text)


def _text_kinds(schema: dict[str, Any], key: str) -> set[str]:
    """``string``, and ``path`` if it is one, of a setting at a dotted key that can be text and nothing else."""
    path = tuple(int(step) if is_position(step) else step for step in key.split("."))
    *_, section = nodes(schema, path[:-1])
    setting = _inner(section, path[-1])
    choices = setting.get("anyOf", [setting])
    kinds = {choice.get("type") for choice in choices}
    is_text = "string" in kinds and not kinds - {"string", "null"}
    return {choice[word] for choice in choices for word in ("type", "format") if word in choice} if is_text else set()


def _spelled_out(text: str, known: Sequence[str], sections: Iterable[str]) -> str:
    name, equals, value = text.partition("=")
    is_section = name in sections and not (name in SETTINGS and re.match(r"\s*[^\s{&*]", value))
    if not equals or is_section or name == BASE_KEY or not name.replace("-", "_").isidentifier():
        return text
    key = full_key(name, known)
    if key is None:
        raise InputError(f"{COMMAND_LINE}: {name}: {_hint(name.replace('-', '_').lower(), known)}")
    return f"{key}={value}"


def _hint(name: str, known: Sequence[str]) -> str:
    """What could be meant by a name that means no setting."""
    if name in NO_SETTINGS:
        return f"no setting here; {NO_SETTINGS[name]}"
    same = [key for key in known if key.rpartition(".")[2] == name]
    if same:
        return f"which one is meant? the settings of this name are {', '.join(same)}"
    close = nearest(name, [key.rpartition(".")[2] for key in known])
    return "unknown key" + (close or "; `fusedet schema train --format markdown` lists all settings")
